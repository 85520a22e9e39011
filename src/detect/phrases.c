/*
 * What a word announces: passwords and tokens behind their name, addresses spelled with "at" and "dot", folders of users,
 * and passwords in front of a URL's host.
 */
#include <string.h>

#include "detect/core.h"

static uint8_t lower(uint8_t c)
{
	return is(c, C_UPPER) ? (uint8_t)(c | 0x20) : c;
}

/* Does `word` (small letters) stand at p, in any case? */
static bool stands(const struct scan *s, size_t p, const char *word)
{
	size_t i = 0;
	while (word[i] && lower(at(s, p + i)) == (uint8_t)word[i])
		i++;
	return !word[i];
}

/* ---- passwords and tokens ---------------------------------------------------------------------------------------- */

static const struct detect_kind password_kind = {"key.password", "[KEY.PASSWORD]"}, generic_kind = {"key.generic", "[KEY.GENERIC]"},
				url_kind = {"key.url_password", "[KEY.URL_PASSWORD]"};

/*
 * Names whose value is a secret; longer ones first.  A name may be the end of a longer one behind _ - . or a change of
 * case (db_password, accessToken).
 */
static const struct name {
	const char *word;
	bool password;	/* chosen by a person: short, of any characters */
} names[] = {
	{"api_key", false}, {"api-key", false}, {"api key", false}, {"apikey", false}, {"api_token", false},
	{"passphrase", true}, {"password", true}, {"passwort", true}, {"passcode", true}, {"passwd", true}, {"pass", true}, {"pwd", true},
	{"secret_access_key", false}, {"secretaccesskey", false}, {"secret_key", false}, {"secretkey", false}, {"secret", false},
	{"token", false},
};

static const struct name *secret_name(const struct scan *s, size_t p)
{
	const uint8_t first = lower(s->t[p]);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if ((uint8_t)names[i].word[0] == first && stands(s, p, names[i].word))
			return &names[i];
	return NULL;
}

static size_t over(const struct scan *s, size_t p, const char *set, size_t most)
{
	size_t i = p;
	while (i - p < most && at(s, i) && strchr(set, at(s, i)))
		i++;
	return i;
}

/* `: "`, `=`, ` => '`, ` is `: where the value begins, or 0. */
static size_t assigned(const struct scan *s, size_t p)
{
	static const char *const verbs[] = {"is ", "ist ", "est ", "es ", NULL};
	size_t i = over(s, p, "\"'\\ ", 4), sign = over(s, i, ":=>", 3);
	if (sign > i)
		return at(s, i) == '>' ? 0 : over(s, sign, "\"'\\ ", 4);
	for (size_t k = 0; i > p && verbs[k]; k++)
		if (stands(s, i, verbs[k]))
			return over(s, i + strlen(verbs[k]), ":\"' ", 3);
	return 0;
}

/* What a value is made of: a password of anything that doesn't end a word, a token of RFC 6750's characters. */
enum { V_PASSWORD = 1, V_TOKEN = 2, V_TAIL = 4, V_SIGN = 8 };	/* V_TAIL: belongs to the sentence at its end */
#define V_BOTH (V_PASSWORD | V_TOKEN)
static const uint8_t value_class[256] = {
	['0' ... '9'] = V_BOTH, ['A' ... 'Z'] = V_BOTH, ['a' ... 'z'] = V_BOTH, ['-'] = V_BOTH, ['_'] = V_BOTH, ['.'] = V_BOTH | V_TAIL,
	['/'] = V_BOTH, ['='] = V_BOTH | V_TAIL, ['~'] = V_BOTH | V_SIGN, ['+'] = V_BOTH | V_SIGN, ['!'] = V_PASSWORD | V_SIGN | V_TAIL,
	['?'] = V_PASSWORD | V_SIGN | V_TAIL, [':'] = V_PASSWORD | V_SIGN | V_TAIL, ['#'] = V_PASSWORD | V_SIGN, ['$'] = V_PASSWORD | V_SIGN,
	['%'] = V_PASSWORD | V_SIGN, ['*'] = V_PASSWORD | V_SIGN, ['@'] = V_PASSWORD | V_SIGN, ['^'] = V_PASSWORD | V_SIGN,
	['|'] = V_PASSWORD | V_SIGN, [0x80 ... 0xff] = V_PASSWORD,
};

struct look {	/* of a value */
	unsigned digits, letters, signs, different;
};

static struct look look_at(const struct scan *s, size_t from, size_t to)
{
	struct look l = {0};
	uint64_t seen[2] = {0};
	for (size_t i = from; i < to; i++) {
		uint8_t c = s->t[i];
		l.digits += is(c, C_DIGIT);
		l.letters += is(c, C_ALPHA) || c >= 0x80;
		l.signs += (value_class[c] & V_SIGN) != 0;
		seen[c >> 6 & 1] |= (uint64_t)1 << (c & 63);
	}
	l.different = (unsigned)(__builtin_popcountll(seen[0]) + __builtin_popcountll(seen[1]));
	return l;
}

static bool password_like(const struct look *l, size_t n)
{
	return n >= 6 && l->different >= 5 && l->letters && (l->digits || (l->signs && n >= 8));
}

/* No word and no number: both letters and digits, and as many different characters as chance brings. */
static bool token_like(const struct look *l, size_t n)
{
	return n >= 16 && l->digits && l->letters && l->different >= 9;
}

/* Somebody was careful: ${PASSWORD}, [redacted], ****. */
static bool left_out(const struct scan *s, size_t from)
{
	uint8_t c = at(s, from);
	return c == '*' || (c == '$' && at(s, from + 1) == '{');
}

/*
 * Whatever makes a value a secret, none of its tails has more of it: when a run of such characters is none, another name
 * within it announces none either, and isn't looked at.  (A token's run is part of a password's.)
 */
static void secret(struct scan *s, size_t p)
{
	static const char why[] = "behind a word for it, and no word itself";
	const struct name *name = secret_name(s, p);
	size_t *dull = name && name->password ? &s->password_until : &s->token_until;
	size_t from = name ? assigned(s, p + strlen(name->word)) : 0, to = from, end;
	if (!from || from < *dull || left_out(s, from))
		return;
	const unsigned class = name->password ? V_PASSWORD : V_TOKEN;
	while (value_class[at(s, to)] & class)
		to++;
	for (end = to; end > from && value_class[s->t[end - 1]] & V_TAIL;)
		end--;
	struct look l = look_at(s, from, end);
	const struct finding f = {DETECT_KEY, DETECT_WEAK, 70, why, name->password ? &password_kind : &generic_kind};
	if (name->password ? password_like(&l, end - from) : token_like(&l, end - from))
		hit_add(s, from, end, &f, 0);
	*dull = to;
	if (name->password && to > s->token_until)
		s->token_until = to;
}

/* scheme://user:password@host: the part between // and @.  True when it was one. */
bool find_url_password(struct scan *s, size_t sign)
{
	enum { USER_MAX = 256 };
	static const struct finding f = {DETECT_KEY, DETECT_STRONG, 90, "user and password before the host of a URL", &url_kind};
	size_t i = sign, colon = 0;
	while (sign - i < USER_MAX && before(s, i) > ' ' && !strchr("/@\"'<>?#[]", before(s, i))) {
		i--;
		if (s->t[i] == ':')
			colon = i;
	}
	if (!colon || colon + 1 == sign || before(s, i) != '/' || i < s->lo + 3 || s->t[i - 2] != '/' || s->t[i - 3] != ':' ||
	    !is(before(s, i - 3), C_ALNUM))
		return false;
	hit_add(s, i, sign, &f, 0);
	return true;
}

/* ---- name at host dot org ---------------------------------------------------------------------------------------- */

/* What may stand behind a spelled dot; endings that are words too (in, is, it, me, no, so, to, us ...) need brackets. */
static bool spelled_ending(const struct scan *s, size_t from, size_t to)
{
	const uint8_t first = lower(at(s, from));
	static const char *const endings[] = {
		"com", "org", "net", "edu", "gov", "mil", "info", "biz", "io", "co", "ai", "app", "dev", "eu", "de", "fr", "uk", "nl", "pl",
		"se", "fi", "dk", "ch", "cz", "pt", "ro", "hu", "gr", "ru", "ua", "jp", "cn", "kr", "br", "ca", "au", "nz", "za", "mx", "ie",
		"example", NULL};
	for (size_t i = 0; endings[i]; i++)
		if ((uint8_t)endings[i][0] == first && strlen(endings[i]) == to - from && stands(s, from, endings[i]))
			return true;
	return false;
}

static bool between_words(uint8_t c)
{
	return c == ' ' || c == '_' || c == '-' || c == '+';
}

static size_t label_start(const struct scan *s, size_t end)
{
	size_t i = end;
	while (end - i < 64 && is(before(s, i), C_ALNUM))
		i--;
	return i;
}

/* p: behind a host's first labels.  "ann at example", "ann@example", "ann at mail dot example": where it begins, or p. */
static size_t spelled_start(const struct scan *s, size_t end, uint8_t gap)
{
	size_t label = label_start(s, end);
	for (unsigned k = 0; k < 3 && label > s->lo + 5 && before(s, label) == gap && stands(s, label - 4, "dot") && s->t[label - 5] == gap; k++)
		label = label_start(s, label - 5);
	if (label == end)
		return end;
	size_t local = before(s, label) == '@' ? label - 1 : 0;
	if (!local && label > s->lo + 4 && before(s, label) == gap && stands(s, label - 3, "at") && s->t[label - 4] == gap)
		local = label - 4;
	if (!local)
		return end;
	size_t start = local;
	while (local - start < 64 && (is(before(s, start), C_ALNUM) || (before(s, start) && strchr("._-+", before(s, start)))))
		start--;
	return start < local ? start : end;
}

static void spelled_address(struct scan *s, size_t p)	/* p: the d of " dot " */
{
	static const struct finding f = {DETECT_EMAIL, DETECT_STRONG, 70, "an address with its signs spelled as words", NULL};
	uint8_t gap = before(s, p);
	if (!between_words(gap) || !stands(s, p, "dot") || at(s, p + 3) != gap)
		return;
	size_t from = p + 4, to = from;
	while (to - from < 16 && is(at(s, to), C_ALPHA))
		to++;
	if (is(at(s, to), C_ALNUM) || !spelled_ending(s, from, to))
		return;
	size_t start = spelled_start(s, p - 1, gap);
	if (start < p - 1)
		hit_add(s, start, to, &f, DETECT_VIA_LOOKALIKE);
}

/* ---- folders of users -------------------------------------------------------------------------------------------- */

/* Accounts of machines, and folders that everybody has. */
static bool nobodys(const struct scan *s, size_t from, size_t to)
{
	static const char *const accounts[] = {"public", "shared", "default", "guest", "root", "admin", "administrator", "user", "runner", "ubuntu",
					       "debian", "node", "app", "www", "deploy", "jenkins", "circleci", "docker", "vagrant", "ec2-user", "git", NULL};
	for (size_t i = 0; accounts[i]; i++)
		if (strlen(accounts[i]) == to - from && stands(s, from, accounts[i]))
			return true;
	return false;
}

static bool path_byte(uint8_t c)
{
	return value_class[c] & V_BOTH && c != '?' && c != '#' && c != ':' && c != '|';
}

/*
 * A site has pages under /home/, too: a file's path ends in the name of one (or begins with file://).  What is said of a path
 * holds for each place in it.
 */
static bool a_file(struct scan *s, size_t from)
{
	if (from < s->path_until)
		return s->path_file;
	size_t i = from, dot = 0;
	for (; path_byte(at(s, i)); i++)
		dot = s->t[i] == '/' ? 0 : s->t[i] == '.' ? i : dot;
	size_t n = dot && dot > from && is(s->t[dot - 1], C_TOKEN) ? i - dot - 1 : 0;
	s->path_until = i;
	s->path_file = n >= 1 && n <= 5 && is(s->t[dot + 1], C_ALPHA) && !stands(s, dot + 1, "html") && !stands(s, dot + 1, "php") &&
		       !stands(s, dot + 1, "asp") && !stands(s, dot + 1, "jsp");
	return s->path_file;
}

static bool by_scheme(const struct scan *s, size_t slash)
{
	return slash >= s->lo + 7 && memcmp(s->t + slash - 7, "file://", 7) == 0;
}

/* /home/ann/x.py, /Users/ann/x.js, C:\Users\ann\: the name.  p: the sign in front. */
static void user_folder(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_USER_PATH, DETECT_STRONG, 75, "a user's folder in the path of a file", NULL};
	const uint8_t sign = s->t[p], first = at(s, p + 1);
	bool folder = sign == '\\' ? stands(s, p + 1, "users\\") : first == 'U' ? stands(s, p + 1, "users/") : first == 'h' && stands(s, p + 1, "home/");
	size_t from = p + (first == 'h' ? 6 : 7);
	if (!folder)
		return;
	from += sign == '\\' && at(s, from) == '\\';	/* escaped once more */
	size_t to = from;
	while (to - from < 64 && (is(at(s, to), C_TOKEN | C_ATOM) || (sign == '\\' && at(s, to) == ' ')))
		to++;
	if (to == from || at(s, to) != sign || nobodys(s, from, to) || is(before(s, p), C_ALNUM | C_ATOM))
		return;
	if (sign == '\\' || by_scheme(s, p) || a_file(s, to + 1))
		hit_add(s, from, to, &f, 0);
}

/* ---- by the word ------------------------------------------------------------------------------------------------- */

/* Behind = and a backslash: \\n or \\r, as deep as some levels of JSON write it. */
static bool broken_line(const uint8_t *t)
{
	for (unsigned k = 0; *t == '\\' && k < 7; k++)
		t++;
	return *t == 'n' || *t == 'r';
}

bool word_matters(const uint8_t *text, size_t lo, size_t p)
{
	const uint8_t *t = text + p, last = p > lo ? t[-1] : ']';	/* 64 bytes are readable behind the text */
	switch (*t | 0x20) {
	case '=':
		return t[1] == '\n' || t[1] == '\r' || (t[1] == '4' && t[2] == '0') || (t[1] == '\\' && broken_line(t + 2));
	case 'e':
		return *t == 'e' && t[1] == 'y';
	case 'b':
		return (t[1] | 0x20) == 'e' && (t[2] | 0x20) == 'a' && (t[3] | 0x20) == 'r' && (t[4] | 0x20) == 'e';
	case 'd':
		return (t[1] | 0x20) == 'o' && between_words(t[3]) && between_words(last);
	case 'p':
		return ((t[1] | 0x20) == 'a' && (t[2] | 0x20) == 's' && (t[3] | 0x20) == 's') || ((t[1] | 0x20) == 'w' && (t[2] | 0x20) == 'd');
	case 's':
		return (t[1] | 0x20) == 'e' && (t[2] | 0x20) == 'c' && (t[3] | 0x20) == 'r' && (t[4] | 0x20) == 'e';
	case 't':
		return (t[1] | 0x20) == 'o' && (t[2] | 0x20) == 'k' && (t[3] | 0x20) == 'e' && !is(t[5], C_ALNUM);
	case 'a':
		return (t[1] | 0x20) == 'p' && (t[2] | 0x20) == 'i' && (is(t[3], C_ALPHA) || between_words(t[3])) && (t[3] | 0x20) != 'n';
	case '/':
		return (t[1] == 'U' && t[5] == 's' && t[6] == '/') || (t[1] == 'h' && t[4] == 'e' && t[5] == '/');
	case '\\' | 0x20:
		return *t == '\\' && (t[5] | 0x20) == 's' && t[6] == '\\';
	default:
		return false;
	}
}

void find_phrase(struct scan *s, size_t p)
{
	switch (s->t[p]) {
	case 'd':
	case 'D':
		if (wanted(s, DETECT_EMAIL))
			spelled_address(s, p);
		break;
	case '/':
	case '\\':
		if (wanted(s, DETECT_USER_PATH))
			user_folder(s, p);
		break;
	default:
		if (wanted(s, DETECT_KEY))
			secret(s, p);
	}
}
