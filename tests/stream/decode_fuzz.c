/* decode_fuzz.c: broken messages, each of which must be read, be of no interest, or be refused, and
 * nothing else.
 *
 *   decode_fuzz COUNT SEED [FILE]     FILE: lines {"key": ..., "value": ...} to begin with
 *
 * JSON is also read by jansson: both must accept the same, and read the same out of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/json_text.h"
#include "domain/currency.h"
#include "stream/decode.h"
#include "tests/stream/pgoutput_help.h"

enum { SEEDS_MAX = 4096, MUTATED_BYTES = 256 * 1024, JANSSON_DEPTH = 2048, ROUND = 500 };

/* ---- chance -------------------------------------------------------------------- */

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

/* ---- seeds ---------------------------------------------------------------------- */

struct seed {
	char *bytes;
	size_t n;
	bool wire; /* PostgreSQL's own; else JSON */
};

static struct seed seeds[SEEDS_MAX];
static size_t seeds_n, wire_n; /* the wire's are the last */

static void add_seed(const char *bytes, size_t n, bool wire)
{
	must(seeds_n < SEEDS_MAX);
	char *copy = mem_alloc(n + 1);
	memcpy(copy, bytes, n);
	seeds[seeds_n++] = (struct seed){copy, n, wire};
	wire_n += wire;
}

static void add_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	must(f);
	for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
		json_t *in = json_loadb(line, (size_t)n, 0, NULL);
		const json_t *value = json_object_get(in, "value");
		char *text = json_is_object(value) ? json_dumps(value, JSON_COMPACT) : NULL;
		if (text)
			add_seed(text, strlen(text), false);
		free(text);
		json_decref(in);
	}
	free(line);
	(void)fclose(f);
}

static void add_own(void)
{
	static const char *const own[] = {
		"{\"event_type\":\"OrderCreatedEvent\",\"event_id\":\"e\",\"order_id\":\"A1\",\"customer_"
		"id\":7,"
		"\"status\":\"pending\",\"total_amount\":\"12.50\",\"currency\":\"EUR\",\"location_id\":3,"
		"\"created_at\":\"2025-01-15T10:30:00Z\",\"version\":3,\"items\":[{\"product_id\":1,"
		"\"name\":\"N\","
		"\"quantity\":2,\"unit_price\":\"6.25\"},{\"sku\":\"x\",\"qty\":1,\"line_total\":0.5}]}",
		"{\"type\":\"order.status_changed\",\"data\":{\"orderId\":1,\"newStatus\":\"paid\"},"
		"\"occurredAt\":1736937000123}",
		"{\"event_type\":\"OrderCancelledEvent\",\"order_id\":1,\"reason\":\"r\",\"cancelled_at\":"
		"\"2025-01-15T10:30:00+01:00\"}",
		"{\"event_type\":\"OrderDeletedEvent\",\"order_id\":1}",
		"{\"before\":null,\"after\":{\"id\":1,\"status\":\"paid\",\"total_amount\":\"BOI=\","
		"\"created_at\":"
		"1736937000123456,\"location_id\":1,\"currency\":\"EUR\",\"cancelled_at\":null,\"tip\":1.5}"
		","
		"\"source\":{\"connector\":\"postgresql\",\"ts_ms\":1736937000123,\"table\":\"orders\","
		"\"lsn\":5},\"op\":\"u\"}",
		"{\"after\":{\"id\":1,\"order_id\":1,\"item_id\":2,\"name\":\"N\",\"quantity\":\"1.000\","
		"\"unit_price\":"
		"{\"scale\":2,\"value\":\"AeJA\"}},\"source\":{\"connector\":\"mysql\",\"table\":\"order_"
		"items\",\"file\":"
		"\"b.000003\",\"pos\":15,\"row\":1},\"op\":\"c\",\"ts_ms\":1}",
		"{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"field\":\"id\"},{"
		"\"type\":\"int32\","
		"\"field\":\"order_id\"},{\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data."
		"Decimal\","
		"\"parameters\":{\"scale\":\"2\"},\"field\":\"amount\"},{\"type\":\"int64\",\"name\":"
		"\"io.debezium.time.MicroTimestamp\",\"field\":\"created_at\"}]},\"payload\":{\"id\":1,"
		"\"order_id\":1,"
		"\"amount\":\"ME8=\",\"created_at\":1736937000123456,\"__table\":\"order_refunds\",\"__"
		"lsn\":7}}",
	};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		for (int k = 0; k < 4; k++) /* as often as the many samples of others */
			add_seed(own[i], strlen(own[i]), false);
}

static void add_wire(void)
{
	static const char *const now[] = {"17", "paid", "12.50", "2025-01-15 10:30:00+00", "\1"};
	static const char *const old[] = {"16", NULL, "NaN", "infinity", "x"};
	struct buf b;
	buf_init(&b);
	for (uint32_t id = 1; id <= 2; id++) {
		pg_relation(&b, id, id == 1 ? "orders" : "order_refunds", id == 1 ? 'd' : 'f',
		            "*id:20 status:25 total_amount:1700 created_at:1184 amount:701");
		add_seed(b.data, b.len, true);
		pg_row(&b, 'I', id);
		pg_tuple(&b, 'N', now, 5);
		add_seed(b.data, b.len, true);
		pg_row(&b, 'U', id);
		pg_tuple(&b, id == 1 ? 'K' : 'O', old, 5);
		pg_tuple(&b, 'N', now, 5);
		add_seed(b.data, b.len, true);
		pg_row(&b, 'D', id);
		pg_tuple(&b, 'K', old, 5);
		add_seed(b.data, b.len, true);
	}
	pg_begin(&b, 1);
	add_seed(b.data, b.len, true);
	pg_commit(&b, 77);
	add_seed(b.data, b.len, true);
	add_seed("T\0\0\0\2\0\0\0\0\1\0\0\0\2", 14, true);
	buf_fini(&b);
}

/* ---- mutations -------------------------------------------------------------------- */

/* The first are values of JSON as they stand. */
static const char *const words[] = {
	"null",
	"true",
	"0",
	"-1",
	"1.5",
	"1e400",
	"-0",
	"9223372036854775807",
	"9223372036854775808",
	"\"NaN\"",
	"\"\"",
	"\"\\ud83d\\ude00\"",
	"{}",
	"[]",
	"[{}]",
	"\"__debezium_unavailable_value\"",
	"\"AAAAAAAAAAAAAAAAAAAA\"",
	"\"BOI=\"",
	"\"1234\"",
	"{\"scale\":-3,\"value\":\"AeJA\"}",
	"\"9999-12-31T23:59:59Z\"",
	"\"2025-02-30\"",
	"\"2025-01-15\"",
	"\"infinity\"",
	"1736937000",
	"1736937000123",
	"1736937000000000000",
	"20000",
	"1e14",
	"\"99999999999999.99\"",
	"\"1e-99999\"",
	"\"-9e999\"",
	"\"order_items\"",
	"\"orders\"",
	"\"d\"",
	"\"usd\"",
	"\"\\u0000\"",
	"\"\\ud83d\"",
	"[[[[",
	"]]]]",
	"{\"a\":",
	"\"id\":",
	"\"op\":\"d\",",
	"\"order_id\":null,",
	"\"schema\":",
	"\"payload\":",
	",",
	":",
	"\"",
	"\\",
	"\xff",
	"\xc3\xa4",
	"\xed\xa0\x80",
	"0000",
	"\x7f\xff\xff\xff",
	"\xff\xff\xff\xff",
};
enum { VALUES = 36, WORDS = sizeof words / sizeof *words };

struct sample {
	size_t n;
	char bytes[MUTATED_BYTES];
};

/* `with` in place of n bytes at `at`. */
static void replace(struct sample *s, size_t at, size_t n, const char *with, size_t with_n)
{
	if (s->n - n + with_n > MUTATED_BYTES)
		return;
	memmove(s->bytes + at + with_n, s->bytes + at + n, s->n - at - n);
	memmove(s->bytes + at, with, with_n);
	s->n = s->n - n + with_n;
}

/* A value of JSON as it stands in the text, found by looking for what is around it. */
static void replace_value(struct sample *s, const char *with)
{
	size_t from = below(s->n);
	while (from < s->n && s->bytes[from] != ':')
		from++;
	if (from == s->n)
		return;
	size_t to = ++from;
	bool text = to < s->n && s->bytes[to] == '"';
	for (to += text; to < s->n; to++)
		if (text ? s->bytes[to] == '"' : s->bytes[to] == ',' || s->bytes[to] == '}')
			break;
	to += text && to < s->n;
	replace(s, from, to - from, with, strlen(with));
}

static void break_bytes(struct sample *s)
{
	const char *word = words[below(WORDS)];
	const struct seed *other = &seeds[below(seeds_n)];
	size_t at = below(s->n + 1), n = below(s->n - at + 1), from = below(other->n);
	switch (below(6)) {
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
		replace(s, at, 0, other->bytes + from, below(other->n - from + 1));
		break;
	default:
		if (at < s->n)
			s->bytes[at] = (char)next_random();
	}
}

/* Mostly something that can still be read as JSON; of the wire, mostly a single byte. */
static void mutate(struct sample *s, const struct seed *seed)
{
	bool values = !seed->wire && below(4) > 0;
	for (size_t k = below(3) * (seed->wire ? below(2) : 1); k < 3; k++)
		if (values)
			replace_value(s, words[below(VALUES)]);
		else if (seed->wire && k < 2 && s->n)
			s->bytes[below(s->n)] = (char)next_random();
		else
			break_bytes(s);
}

/* ---- what must hold ------------------------------------------------------------------ */

static const struct sample *current;

static _Noreturn void failed(const char *why)
{
	(void)fprintf(stderr, "decode_fuzz: %s in: ", why);
	(void)fwrite(current->bytes, 1, current->n, stderr);
	(void)fputc('\n', stderr);
	abort();
}

static void expect(bool fine, const char *why)
{
	if (!fine)
		failed(why);
}

static bool is_utf8(const char *s, size_t max)
{
	size_t n = strlen(s), k;
	for (size_t i = 0; i < n; i += k)
		if ((k = utf8_char_len(s + i, n - i)) == 0)
			return false;
	return n <= max;
}

static void check_text(const char *s, size_t max, const char *why)
{
	expect(!s || is_utf8(s, max), why);
}

static void check_time(int64_t us)
{
	expect(us == CHANGE_NONE || (us > 0 && us < INT64_C(7258204800000000)), "a time");
}

static void check_money(int64_t v)
{
	expect(v == CHANGE_NONE ||
	           (v > INT64_C(-1000000000000000000) && v < INT64_C(1000000000000000000)),
	       "an amount");
}

static void check_change(const struct change *ch)
{
	expect(ch->id && *ch->id && is_utf8(ch->id, ID_BYTES + 32), "an id");
	expect(ch->birth.major >= -1 && ch->status.major >= -1, "a version");
	check_text(ch->order_id, ID_BYTES, "an order's id");
	check_text(ch->customer, ID_BYTES, "a customer");
	check_text(ch->item, ID_BYTES, "an item");
	check_text(ch->name, TEXT_BYTES, "a name");
	check_text(ch->cancel_reason, TEXT_BYTES, "a reason");
	if (ch->fields & HAS_STATUS && !ch->deleted)
		expect(ch->status_word && is_utf8(ch->status_word, ID_BYTES), "a status");
	if (ch->fields & HAS_CURRENCY && !ch->deleted)
		expect(ch->currency && currency_is_code(ch->currency), "a currency");
	if (ch->kind == CHANGE_ORDER && ch->fields & HAS_TOTAL && !ch->deleted)
		check_money(ch->total);
	if (ch->kind == CHANGE_ORDER && ch->fields & HAS_PLACED && !ch->deleted)
		check_time(ch->placed_us);
	if (ch->kind == CHANGE_REFUND && ch->fields & HAS_REFUNDED && !ch->deleted)
		check_time(ch->refunded_us);
}

static int64_t outcomes[4];

static void check_outcome(struct changes *c, enum err rc, const struct errbuf *eb)
{
	size_t n;
	const struct change *const *list = changes_sorted(c, &n);
	switch (rc) {
	case ERR_OK:
		outcomes[0]++;
		expect(n > 0, "accepted, but nothing was put,");
		break;
	case ERR_NOTHING:
		outcomes[1]++;
		break;
	case ERR_INVALID:
		outcomes[2]++;
		break;
	case ERR_MALFORMED:
		outcomes[3]++;
		break;
	default:
		failed("another outcome");
	}
	expect(rc == ERR_OK || n == 0, "refused, but something was put,");
	expect((rc == ERR_OK || rc == ERR_NOTHING) == (eb->text[0] == '\0'),
	       "no reason, or one too many,");
	for (size_t i = 0; i < n; i++)
		check_change(list[i]);
}

/* ---- beside jansson --------------------------------------------------------------------- */

static bool same(const struct jnode *a, const json_t *b)
{
	static const json_type types[] = {JSON_NULL,   JSON_FALSE, JSON_TRUE,  JSON_REAL,
	                                  JSON_STRING, JSON_ARRAY, JSON_OBJECT};
	if (a->kind == JNODE_NUMBER)
		return a->whole ? json_is_integer(b) && strtoll(a->text, NULL, 10) == json_integer_value(b)
		                : json_is_real(b) && strtod(a->text, NULL) == json_number_value(b);
	if (json_typeof(b) != types[a->kind])
		return false;
	size_t i = 0;
	if (a->kind == JNODE_STRING)
		return a->n == json_string_length(b) && memcmp(a->text, json_string_value(b), a->n) == 0;
	for (const struct jnode *m = a->first; m; m = m->next, i++) {
		const json_t *other =
			a->kind == JNODE_ARRAY ? json_array_get(b, i) : json_object_get(b, m->name);
		if (!other || !same(m, other))
			return false;
	}
	return i == (a->kind == JNODE_ARRAY    ? json_array_size(b)
	             : a->kind == JNODE_OBJECT ? json_object_size(b)
	                                       : 0);
}

/* Jansson refuses numbers that fit into none of its types; and it overlooks a zero byte behind a
 * number, so that what has one is not compared. */
static bool is_beyond_jansson(const json_error_t *je)
{
	return strstr(je->text, "too big") || strstr(je->text, "overflow");
}

static void compare_parsers(const char *bytes, size_t n)
{
	struct arena a;
	const struct jnode *own;
	struct errbuf eb = {0};
	json_error_t je;
	arena_init(&a);
	enum err rc = jnode_parse(&a, bytes, n, JANSSON_DEPTH, NULL, &own, &eb);
	json_t *theirs = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (theirs)
		expect(rc == ERR_OK && same(own, theirs), "jansson reads something else");
	else
		expect(rc != ERR_OK || is_beyond_jansson(&je), "jansson refuses");
	json_decref(theirs);
	arena_fini(&a);
}

/* ---- one message --------------------------------------------------------------------------- */

static struct clock_piece utc[] = {{INT64_MIN, 0}},
						  order_clock[] = {{INT64_MIN, -3600}, {1743300000, -7200}};
static char counted[] = "";
static const struct rules rules = {.profile = "commerce",
                                   .currency = "EUR",
                                   .counted = counted,
                                   .location = 1,
                                   .utc = {utc, 1},
                                   .order = {order_clock, 2},
                                   .currencies = {{"JPY", 0}},
                                   .currencies_n = 1};

/* Of exactly its size, so that a sanitizer sees who reads on. */
static void try_json(struct changes *c, const struct sample *s, bool compare)
{
	static const char *const tables[] = {NULL, "orders", "order_items", "order_refunds", "other"};
	struct decoder d = {.rules = &rules,
	                    .units = {"smun"[below(4)], (int)below(6) - 1, below(2) == 0},
	                    .table = tables[below(5)],
	                    .format = (enum format)below(3)};
	char *bytes = malloc(s->n ? s->n : 1);
	must(bytes);
	memcpy(bytes, s->bytes, s->n);
	const struct seed *key = &seeds[below(seeds_n)];
	struct message m = {.at = {.source = "kafka", .topic = "t", .offset = (int64_t)below(1000)},
	                    .key = below(2) ? "{\"id\":1}" : key->bytes,
	                    .value = bytes,
	                    .value_n = s->n};
	m.key_n = m.key == key->bytes ? key->n : 8;
	struct errbuf eb = {0};
	changes_clear(c);
	enum err rc = decode_message(&d, &m, c, NULL, &eb);
	check_outcome(c, rc, &eb);
	if (compare && !memchr(bytes, 0, s->n))
		compare_parsers(bytes, s->n);
	free(bytes);
}

static void try_wire(struct pgoutput *p, struct changes *c, const struct sample *s)
{
	static const struct row_units units = {'u', 2, false};
	struct row_change row;
	struct errbuf eb = {0};
	struct arena a;
	int64_t end;
	char *bytes = malloc(s->n ? s->n : 1);
	must(bytes);
	memcpy(bytes, s->bytes, s->n);
	changes_clear(c);
	arena_init(&a);
	enum err rc = pgoutput_decode(p, bytes, s->n, 1234, &a, &row, &eb);
	(void)pgoutput_committed(p, &end);
	free(bytes);
	if (rc == ERR_OK)
		rc = row_to_changes(&row, &rules, &units, c, &eb);
	check_outcome(c, rc, &eb);
	arena_fini(&a);
}

static int64_t relations_n; /* sent in between, whole */

static void send_relations(struct pgoutput *p, struct changes *c, struct sample *s)
{
	for (size_t i = seeds_n - wire_n; i < seeds_n; i++)
		if (seeds[i].bytes[0] == 'R') {
			memcpy(s->bytes, seeds[i].bytes, s->n = seeds[i].n);
			try_wire(p, c, s);
			relations_n++;
		}
}

int main(int argc, char **argv)
{
	static struct sample s;
	struct changes *c = changes_new();
	struct pgoutput *p = NULL;
	must(argc >= 3);
	int64_t count = strtoll(argv[1], NULL, 10);
	random_state = strtoull(argv[2], NULL, 10) * 2654435761U + 88172645463325252U;
	current = &s;
	if (argc > 3)
		add_file(argv[3]);
	add_own();
	add_wire();
	for (int64_t i = 0; i < count; i++) {
		if (i % ROUND == 0) { /* what is known of tables begins anew now and then */
			pgoutput_free(p);
			p = pgoutput_new();
			send_relations(p, c, &s);
		}
		const struct seed *seed =
			below(4) == 0 ? &seeds[seeds_n - 1 - below(wire_n)] : &seeds[below(seeds_n - wire_n)];
		memcpy(s.bytes, seed->bytes, s.n = seed->n);
		if (below(10) > 0)
			mutate(&s, seed);
		if (seed->wire)
			try_wire(p, c, &s);
		else
			try_json(c, &s, i % 2 == 0);
	}
	(void)printf("{\"seeds\":%zu,\"messages\":%" PRId64 ",\"ok\":%" PRId64 ",\"nothing\":%" PRId64
	             ",\"invalid\":%" PRId64 ",\"malformed\":%" PRId64 ",\"relations\":%" PRId64 "}\n",
	             seeds_n, count, outcomes[0], outcomes[1], outcomes[2], outcomes[3], relations_n);
	pgoutput_free(p);
	changes_free(c);
	for (size_t i = 0; i < seeds_n; i++)
		free(seeds[i].bytes);
	return 0;
}
