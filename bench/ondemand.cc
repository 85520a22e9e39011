// What `weir filter` is measured against: simdjson On-Demand visits every value of the same lines: keys and strings are
// unescaped, numbers parsed.  The file is read in pieces of 512 KB and whole lines, as `weir filter` does;
// nothing is written.
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <simdjson.h>
#include <unistd.h>
#include <vector>

using namespace simdjson;

static uint64_t bytes, values;
static double numbers;

static void visit(ondemand::value v)
{
	values++;
	switch (v.type()) {
	case ondemand::json_type::array:
		for (auto x : v.get_array())
			visit(x.value());
		break;
	case ondemand::json_type::object:
		for (auto f : v.get_object()) {
			bytes += std::string_view(f.unescaped_key()).size();
			visit(f.value());
		}
		break;
	case ondemand::json_type::string:
		bytes += std::string_view(v.get_string()).size();
		break;
	case ondemand::json_type::number: {
		ondemand::number n = v.get_number();
		numbers += n.is_double() ? n.get_double() : n.is_int64() ? double(n.get_int64()) : double(n.get_uint64());
		break;
	}
	case ondemand::json_type::boolean:
		values += bool(v.get_bool());
		break;
	case ondemand::json_type::null:
		values += v.is_null();
		break;
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	const size_t piece = 512 * 1024;
	std::vector<char> text(2 << 20);	// batches are far shorter than what is left of it
	ondemand::parser parser;
	int fd = open(argv[1], O_RDONLY);
	size_t have = 0;
	for (ssize_t n; (n = read(fd, text.data() + have, piece)) > 0;) {
		const char *at = text.data(), *end = at + have + n;
		while (const char *nl = static_cast<const char *>(memchr(at, '\n', size_t(end - at)))) {
			ondemand::document doc = parser.iterate(at, size_t(nl - at), size_t(nl - at) + SIMDJSON_PADDING);
			visit(ondemand::value(doc.get_value()));
			at = nl + 1;
		}
		have = size_t(end - at);
		memmove(text.data(), at, have);
	}
	printf("%llu bytes of text, %llu values, sum %g\n", (unsigned long long)bytes, (unsigned long long)values, numbers);
}
