/* Synthetic people and the events that a chat product's SDKs send about them.  Numbers decide all: every run is alike. */
#include <stdio.h>
#include <string.h>

#include "demo/private.h"

static const char *const first[] = {"Ada", "Ben", "Carla", "Dmitri", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kaya", "Lena", "Mateo",
				    "Nora", "Oskar", "Priya", "Quinn", "Rosa", "Samir", "Tara", "Ugo", "Vera", "Wen", "Ximena", "Yusuf", "Zoe"};
static const char *const last[] = {"Keller", "Novak", "Rossi", "Dubois", "Silva", "Haas", "Lindgren", "Moreau", "Okafor", "Petrov", "Quist", "Reyes",
				   "Schmidt", "Tanaka", "Ueda", "Vogel", "Weber", "Young", "Zeman", "Almeida", "Brandt", "Costa", "Duarte"};
static const struct {
	const char *city, *country, *language;
} places[] = {{"Berlin", "DE", "de"}, {"Lyon", "FR", "en"},   {"Austin", "US", "en"},	{"Leeds", "GB", "en"},	{"Porto", "PT", "en"},
	      {"Hamburg", "DE", "de"}, {"Seattle", "US", "en"}, {"Toronto", "CA", "en"}, {"Utrecht", "NL", "en"}, {"Osaka", "JP", "en"},
	      {"Graz", "AT", "de"},   {"Recife", "BR", "en"}, {"Pune", "IN", "en"}};
static const struct {
	const char *os, *browser;
} systems[] = {{"Windows", "Chrome"}, {"Mac OS X", "Safari"}, {"Linux", "Firefox"}, {"iOS", "Mobile Safari"}, {"Android", "Chrome"}};
static const char *const referrers[] = {"https://search.example/?q=chat", "https://news.example/item?id=81", "https://mail.example/inbox"};
static const char *const plans[] = {"free", "plus", "team"};
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* A mixed number, so that neighbours differ (SplitMix64's last step). */
static uint64_t mix(uint64_t x)
{
	x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

enum { WRITES_EVERY = 80 };

void person_make(unsigned number, struct person *p)
{
	uint64_t r = mix(number);
	const char *f = first[r % COUNT(first)], *l = last[(r >> 8) % COUNT(last)];
	size_t place = (r >> 16) % COUNT(places);
	*p = (struct person){.number = number, .city = places[place].city, .country = places[place].country, .language = places[place].language,
			     .plan = plans[(r >> 24) % COUNT(plans)], .organisation = (unsigned)(r >> 32) % 4000,
			     .wrote = number % WRITES_EVERY == 0};
	snprintf(p->id, sizeof p->id, "user-%06u", number);
	snprintf(p->name, sizeof p->name, "%s %s", f, l);
	snprintf(p->email, sizeof p->email, "%s.%s.%u@example.com", f, l, number);
}

static void head(const struct person *p, const char *event, int64_t now, struct buf *b)
{
	uint64_t r = mix(p->number + 7);
	size_t system = r % COUNT(systems);
	buf_addf(b, "{\"event\":\"%s\",\"properties\":{\"token\":\"%s\",\"distinct_id\":\"%s\",\"time\":%lld,", event,
		 system > 2 ? demo_ios_token : demo_web_token, p->id, (long long)now);
	buf_addf(b, "\"$os\":\"%s\",\"$browser\":\"%s\",\"$referrer\":\"%s\",", systems[system].os, systems[system].browser,
		 referrers[(r >> 8) % COUNT(referrers)]);
	buf_addf(b, "\"name\":\"%s\",\"email\":\"%s\",\"city\":\"%s\",\"country_code\":\"%s\",\"organisation\":\"org-%04u\"", p->name, p->email,
		 p->city, p->country, p->organisation);
}

static void opened(const struct person *p, int64_t now, struct buf *b)
{
	head(p, "chat_opened", now, b);
	buf_addf(b, ",\"$current_url\":\"https://chat.example/c/%016llx?user=%s\"}},", (unsigned long long)mix(p->number), p->email);
}

void person_events(const struct person *p, int64_t now, struct buf *b)
{
	opened(p, now, b);
	if (p->wrote) {
		head(p, "feedback_sent", now, b);
		buf_addf(b, ",\"feedback\":\"The answer was wrong, please write to %s or call +49 30 90182%04u.\"}},", p->email, p->number % 10000);
	} else {
		head(p, "message_sent", now, b);
		buf_addf(b, ",\"model\":\"%s\",\"title\":\"Letter to the landlord of %s\"}},", p->number % 3 ? "small" : "large", p->name);
	}
}

void person_profile(const struct person *p, struct buf *b)
{
	buf_addf(b, "{\"$token\":\"%s\",\"$distinct_id\":\"%s\",\"$set\":{\"$name\":\"%s\",\"$email\":\"%s\",\"$city\":\"%s\",\"plan\":\"%s\"}},",
		 demo_web_token, p->id, p->name, p->email, p->city, p->plan);
}

void person_later(const struct person *p, int64_t now, struct buf *b)
{
	opened(p, now, b);
}

int people_write(const char *path, unsigned people, struct err *err)
{
	FILE *f = fopen(path, "we");
	if (!f)
		return err_sys(err, "%s", path);
	fprintf(f, "id,email,lang,name,country\n");
	for (unsigned i = 0; i < people; i++) {
		struct person p;
		person_make(i, &p);
		fprintf(f, "%s,%s,%s,%s,%s\n", p.id, p.email, p.language, p.name, p.country);
	}
	return fclose(f) == 0 ? 0 : err_sys(err, "%s", path);
}
