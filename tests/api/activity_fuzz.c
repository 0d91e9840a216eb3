/* activity_fuzz.c: broken events, each of which must be read or refused with its reason; what is
 * read must come back as it was saved, and must be the same when it is read again.
 *
 *   activity_fuzz COUNT SEED
 *
 * Beside them, of one in four: what a broker may hold, schemas, and names of browsers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/time_text.h"
#include "domain/activity_event.h"
#include "domain/activity_schema.h"
#include "domain/currency.h"

enum { SAMPLE_BYTES = 128 * 1024 };

/* ---- chance ---------------------------------------------------------------------- */

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t below(size_t n)
{
	return n ? (size_t)(next_random() % n) : 0;
}

/* ---- samples ---------------------------------------------------------------------- */

static const char *const events[] = {
	"{\"event_type\":\"product_view\",\"event_id\":\"0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a44\","
	"\"user_id\":\"user_123\",\"anonymous_id\":\"a-5f1c\",\"session_id\":\"sess_456\","
	"\"timestamp\":\"2026-11-20T18:04:05.120Z\",\"sent_at\":\"2026-11-20T18:04:06Z\","
	"\"properties\":{\"page\":\"https://shop.example/products?color=red&page=2#top\",\"referrer\":"
	"\"https://www.google.com/search?q=x\",\"product_id\":\"401\",\"category\":\"electronics\","
	"\"price\":\"89.90\",\"quantity\":1,\"currency\":\"EUR\"}}",
	"{\"event_type\":\"page_view\",\"user_id\":\"user_123\",\"session_id\":\"sess_456\","
	"\"properties\":{\"page\":\"/products/wireless-headphones\",\"referrer\":\"google.com\"}}",
	"{\"event_type\":\"search\",\"anonymous_id\":7,\"timestamp\":1795197845120,\"properties\":"
	"{\"query\":\"Kopfh\xc3\xb6rer\",\"hits\":[1,2.50,{\"id\":\"4111111111111111\"}],\"utm_"
	"source\":"
	"\"letter\",\"utm_campaign\":\"black friday\",\"device\":\"watch\",\"email\":\"a@b.example\"}}",
	"{\"event_type\":\"x\",\"session_id\":\"s\",\"timestamp\":\"2026-08-01T00:00:00+02:00\","
	"\"properties\":{\"a\":{\"b\":{\"c\":null,\"d\":true}},\"plan\":\"gold\",\"price\":0}}",
};

static const char *const schemas[] = {
	"{\"type\":\"object\",\"required\":[\"page\"],\"properties\":{\"page\":{\"type\":\"string\","
	"\"maxLength\":100},\"price\":{\"type\":[\"string\",\"number\"],\"minimum\":0,\"maximum\":1e6},"
	"\"plan\":{\"enum\":[\"gold\",1,null]}},\"additionalProperties\":true}",
};

static const char *const agents[] = {
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
	"Mobile Safari/537.36",
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
};

/* The first are values of JSON as they stand. */
static const char *const words[] = {
	"null",
	"true",
	"0",
	"-1",
	"1.5",
	"1e400",
	"1e9999",
	"-0",
	"9223372036854775807",
	"9223372036854775808",
	"1795197845120",
	"1795197845",
	"253402300800000",
	"\"\"",
	"\"null\"",
	"\"undefined\"",
	"\"\\ud83d\\ude00\"",
	"{}",
	"[]",
	"[{}]",
	"[\"4111 1111 1111 1111\",1]",
	"4111111111111111",
	"\"4111111111111111?x\"",
	"\"9999-12-31T23:59:59Z\"",
	"\"2026-02-30T00:00:00Z\"",
	"\"1970-01-01T00:00:00Z\"",
	"\"2026-11-20T18:04:05\"",
	"\"2020-01-01T00:00:00Z\"",
	"\"99999999999999.99\"",
	"\"100000000000000\"",
	"\"1e-99\"",
	"\"usd\"",
	"\"https://a.example//b?page=1&page=2#\"",
	"\"//a\"",
	"\"http://u:p@[::1]:80?\"",
	"\"?page=2&category=3\"",
	"\" \"",
	"{\"a\":{\"b\":[1]}}",
	"{\"mail\":1,\"a.b\":2}",
	"\"\\u0000\"",
	"\"\\ud83d\"",
	"[[[[",
	"]]]]",
	"{\"a\":",
	"\"email\":1,",
	"\"page\":\"/x\",",
	"\"type\":\"string\",",
	"\"pattern\":\"x\",",
	"\"session_id\":\"s\",",
	",",
	":",
	"\"",
	"\\",
	"\xff",
	"\xc3\xa4",
	"\xe2\x82\xac",
	"\xed\xa0\x80",
	"0000",
};
enum { VALUES = 39, WORDS = sizeof words / sizeof *words };

struct sample {
	size_t n;
	char bytes[SAMPLE_BYTES];
};

static void start_with(struct sample *s, const char *text)
{
	s->n = strlen(text);
	must(s->n < SAMPLE_BYTES);
	memcpy(s->bytes, text, s->n);
}

/* ---- mutations ------------------------------------------------------------------------ */

/* `with` in place of n bytes at `at`. */
static void replace(struct sample *s, size_t at, size_t n, const char *with, size_t with_n)
{
	if (s->n - n + with_n > SAMPLE_BYTES)
		return;
	memmove(s->bytes + at + with_n, s->bytes + at + n, s->n - at - n);
	memcpy(s->bytes + at, with, with_n);
	s->n = s->n - n + with_n;
}

/* A value of JSON as it stands in the text, found by looking for what is around it. */
static void replace_value(struct sample *s, const char *with)
{
	size_t from = below(s->n);
	while (from < s->n && s->bytes[from] != ':')
		from++;
	if (from >= s->n)
		return;
	size_t to = ++from;
	bool text = to < s->n && s->bytes[to] == '"';
	for (to += text; to < s->n; to++)
		if (text ? s->bytes[to] == '"' : s->bytes[to] == ',' || s->bytes[to] == '}')
			break;
	to += text && to < s->n;
	replace(s, from, to - from, with, strlen(with));
}

/* Many bytes of one kind, about as many as a limit allows; never within an escape. */
static void lengthen(struct sample *s)
{
	static const size_t lengths[] = {60, 100, 128, 200, 1000, 1024, 2000, 65536};
	static char run[65536];
	size_t at = below(s->n), n = lengths[below(below(20) ? 7 : 8)] + below(3);
	while (at < s->n && s->bytes[at] != '"')
		at++;
	if (at == s->n || n > sizeof run)
		return;
	memset(run, below(2) ? 'a' : ' ', n);
	replace(s, at + 1, 0, run, n);
}

static void break_bytes(struct sample *s)
{
	const char *word = words[below(WORDS)], *other = events[below(4)];
	size_t at = below(s->n + 1), n = below(s->n - at + 1), from = below(strlen(other));
	switch (below(7)) {
	case 0:
		if (at < s->n)
			s->bytes[at] = (char)(s->bytes[at] ^ 1 << below(8));
		break;
	case 1:
		replace(s, at, n < 40 ? n : below(40), "", 0);
		break;
	case 2:
		replace(s, at, 0, word, strlen(word));
		break;
	case 3:
		s->n = at;
		break;
	case 4:
		replace(s, at, 0, other + from, below(strlen(other) - from + 1));
		break;
	case 5:
		lengthen(s);
		break;
	default:
		if (at < s->n)
			s->bytes[at] = (char)next_random();
	}
}

/* Mostly something that can still be read as JSON. */
static void mutate(struct sample *s)
{
	bool values = below(4) > 0;
	for (size_t k = below(3); k < 3; k++)
		if (values && below(8))
			replace_value(s, words[below(VALUES)]);
		else if (values)
			lengthen(s);
		else
			break_bytes(s);
}

/* ---- what must hold --------------------------------------------------------------------- */

static const struct sample *current;
static int64_t outcomes[4];

static void expect(bool fine, const char *why)
{
	if (fine)
		return;
	(void)fprintf(stderr, "activity_fuzz: %s in: ", why);
	(void)fwrite(current->bytes, 1, current->n, stderr);
	(void)fputc('\n', stderr);
	abort();
}

static void check_text(const char *s, size_t max, const char *why)
{
	size_t n = s ? strlen(s) : 0, k;
	for (size_t i = 0; i < n; i += k)
		expect((k = utf8_char_len(s + i, n - i)) > 0, why);
	expect(n <= max, why);
}

static void check_event(const struct activity_event *e)
{
	check_text(e->type, ACTIVITY_TYPE_BYTES, "a type");
	check_text(e->user_id, ACTIVITY_ID_BYTES, "a user");
	check_text(e->anonymous_id, ACTIVITY_ID_BYTES, "a visitor");
	check_text(e->session_id, ACTIVITY_ID_BYTES, "a session");
	expect(e->user_id || e->anonymous_id || e->session_id, "nobody's");
	check_text(e->properties, 6 * ACTIVITY_BYTES, "properties");
	for (int i = 0; i < ACTIVITY_DIMENSIONS; i++) {
		check_text(e->dims[i], ACTIVITY_VALUE_BYTES, "a dimension");
		expect(!e->dims[i] || *e->dims[i], "an empty dimension");
	}
	expect(!e->currency || currency_is_code(e->currency), "a currency");
	expect(!e->price || strspn(e->price, "0123456789.") == strlen(e->price), "a price");
	expect(e->quantity >= 0 && e->quantity <= ACTIVITY_QUANTITY, "a quantity");
	expect(e->occurred_us >= TIME_2000_US && e->occurred_us <= e->received_us + US_PER_DAY,
	       "a time");
}

static void check_refusal(enum err rc, const struct errbuf *eb)
{
	expect(rc == ERR_INVALID || rc == ERR_MALFORMED, "another outcome");
	expect(eb->code == rc && eb->text[0], "no reason");
	check_text(eb->field, sizeof eb->field - 1, "a field");
	check_text(eb->text, sizeof eb->text - 1, "a reason");
}

/* ---- one sample ---------------------------------------------------------------------------- */

static const struct activity_dimension dimensions[] = {
	{1, "page", ""},
	{2, "source", ""},
	{3, "campaign", "utm_campaign"},
	{4, "device", ""},
	{5, "browser", ""},
	{6, "category", "category"},
	{7, "product", "product_id"},
	{8, "region", "region"},
	{16, "plan", "plan"},
};
static const char *const page_params[] = {"page", "category"};
static const struct activity_rules rules = {90, dimensions, 9, page_params, 2};
static struct activity_sender sender = {.received_us = INT64_C(1795197846) * US_PER_S,
                                        .key_id = 1,
                                        .browser = "",
                                        .device = "",
                                        .host = "shop.example"};

static struct arena arena;

static enum err read_event(const char *bytes, size_t n, struct activity_event *out,
                           struct errbuf *eb)
{
	const struct jnode *v;
	enum err rc = jnode_parse(&arena, bytes, n, 8, NULL, &v, eb);
	return rc == ERR_OK ? activity_event_read(&arena, v, &rules, &sender, out, eb) : rc;
}

/* Saved, restored and saved it is the same; what is kept of properties is kept as it is. */
static void check_ways(const struct activity_event *e)
{
	struct buf once, twice;
	struct activity_event back = {0}, again = {0};
	struct errbuf eb = {0};
	buf_init(&once);
	buf_init(&twice);
	activity_event_save(e, &once);
	expect(activity_event_restore(&arena, once.data, once.len, &back, &eb) == ERR_OK,
	       "it does not come back");
	check_event(&back);
	activity_event_save(&back, &twice);
	expect(strcmp(once.data, twice.data) == 0, "it comes back otherwise");
	expect(back.session_key == e->session_key, "another session");
	buf_clear(&once);
	buf_printf(&once, "{\"event_type\":\"x\",\"user_id\":\"u\",\"properties\":%s}", e->properties);
	if (once.len <= ACTIVITY_BYTES) {
		expect(read_event(once.data, once.len, &again, &eb) == ERR_OK &&
		           strcmp(again.properties, e->properties) == 0 && again.dropped_n == 0,
		       "properties change when they are read again");
		for (int i = 0; i < ACTIVITY_DIMENSIONS; i++)
			if (i != 1) /* of the referrer only the host counted */
				expect(!again.dims[i] == !e->dims[i] &&
				           (!e->dims[i] || strcmp(again.dims[i], e->dims[i]) == 0),
				       "a dimension changes when it is read again");
	}
	buf_fini(&once);
	buf_fini(&twice);
}

static void try_event(const char *bytes, size_t n)
{
	struct activity_event e = {0};
	struct errbuf eb = {0};
	enum err rc = read_event(bytes, n, &e, &eb);
	outcomes[rc == ERR_OK ? 0 : rc == ERR_NOTHING ? 1 : rc == ERR_INVALID ? 2 : 3]++;
	if (rc != ERR_OK && rc != ERR_NOTHING) {
		check_refusal(rc, &eb);
		return;
	}
	expect((rc == ERR_OK) == (eb.text[0] == '\0'), "no reason, or one too many,");
	check_event(&e);
	check_ways(&e);
}

static void try_saved(const char *bytes, size_t n)
{
	struct activity_event e = {0};
	struct errbuf eb = {0};
	enum err rc = activity_event_restore(&arena, bytes, n, &e, &eb);
	if (rc != ERR_OK) {
		check_refusal(rc, &eb);
		return;
	}
	struct buf once, twice;
	buf_init(&once);
	buf_init(&twice);
	activity_event_save(&e, &once);
	expect(activity_event_restore(&arena, once.data, once.len, &e, &eb) == ERR_OK,
	       "what was restored does not come back");
	activity_event_save(&e, &twice);
	expect(strcmp(once.data, twice.data) == 0, "what was restored comes back otherwise");
	buf_fini(&once);
	buf_fini(&twice);
}

static void try_schema(const char *text)
{
	const struct activity_schema *schema;
	struct errbuf eb = {0};
	enum err rc = activity_schema_parse(&arena, text, &schema, &eb);
	for (size_t i = 0; rc == ERR_OK && i < 4; i++) {
		const char *properties = strstr(events[i], "\"properties\":") + strlen("\"properties\":");
		char *own = arena_strndup(&arena, properties, strlen(properties) - 1);
		struct errbuf why = {0};
		enum err fits = activity_schema_check(&arena, schema, own, &why);
		if (fits != ERR_OK)
			check_refusal(fits, &why);
	}
	if (rc != ERR_OK)
		check_refusal(rc, &eb);
}

/* Of exactly its size and with a NUL behind it, so that a sanitizer sees who reads on. */
static char *own_copy(const struct sample *s)
{
	char *bytes = malloc(s->n + 1);
	must(bytes);
	memcpy(bytes, s->bytes, s->n);
	bytes[s->n] = '\0';
	return bytes;
}

static void try_beside(struct sample *s, const struct buf *saved)
{
	size_t what = below(4);
	start_with(s, what == 0 ? schemas[0] : what == 1 ? agents[below(2)] : saved->data);
	mutate(s);
	char *bytes = own_copy(s);
	if (what == 0)
		try_schema(bytes);
	else if (what == 1)
		expect(activity_agent_read(bytes).device != NULL, "an agent");
	else
		try_saved(bytes, s->n);
	free(bytes);
}

/* What a broker holds. */
static void save_one(struct buf *saved)
{
	struct activity_event e = {0};
	struct errbuf eb = {0};
	must(read_event(events[2], strlen(events[2]), &e, &eb) == ERR_OK);
	e.price = "1.50";
	activity_event_save(&e, saved);
}

int main(int argc, char **argv)
{
	static struct sample s;
	struct buf saved;
	must(argc == 3);
	int64_t count = strtoll(argv[1], NULL, 10);
	random_state = strtoull(argv[2], NULL, 10) * 2654435761U + 88172645463325252U;
	current = &s;
	arena_init(&arena);
	buf_init(&saved);
	save_one(&saved);
	for (int64_t i = 0; i < count; i++) {
		start_with(&s, events[below(4)]);
		mutate(&s);
		char *bytes = own_copy(&s);
		sender.trusted = below(2);
		try_event(bytes, s.n);
		free(bytes);
		if (i % 4 == 0)
			try_beside(&s, &saved);
		arena_reset(&arena);
	}
	buf_fini(&saved);
	arena_fini(&arena);
	(void)printf("{\"ok\":%" PRId64 ",\"nothing\":%" PRId64 ",\"invalid\":%" PRId64
	             ",\"malformed\":%" PRId64 "}\n",
	             outcomes[0], outcomes[1], outcomes[2], outcomes[3]);
	return 0;
}
