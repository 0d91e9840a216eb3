/* apply_cli.c: apply.c by hand, for tests: each line of the input is a batch as JSON, each line of
 * the output what became of it. ANALYTICS_DATABASE_URL says where.
 *
 *   {"changes": [{"kind": "order", "id": "1", "birth": [major, minor], "status": [major, minor],
 *                 "total": 1250, "currency": "EUR", ...}, ...],
 *    "advances": [["kafka", "orders", 0, -1, 17], ...], "dead": [["kafka", "orders", 0, 16,
 * "why"]]}
 *   {"rules": true}, {"position": ["kafka", "orders", 0]}
 *
 * What stands in a change is said; null says that there is nothing. Versions that do not fit into a
 * JSON number are strings. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/num.h"
#include "db/statement.h"
#include "stream/apply.h"

static const struct rules *rules;

static int64_t number(const json_t *v, int64_t none)
{
	int64_t n = none;
	if (json_is_string(v))
		must(num_parse_int(json_string_value(v), INT64_MIN, INT64_MAX, &n));
	else if (json_is_integer(v))
		n = json_integer_value(v);
	return n;
}

static struct version version(const json_t *v)
{
	return json_is_array(v)
	           ? (struct version){number(json_array_get(v, 0), 0), number(json_array_get(v, 1), 0)}
	           : VERSION_NEVER;
}

static void take_text(struct change *ch, const json_t *o, const char *name, unsigned field,
                      const char **to)
{
	const json_t *v = json_object_get(o, name);
	if (!v)
		return;
	ch->fields |= field;
	*to = json_string_value(v);
}

static void take_amount(struct change *ch, const json_t *o, const char *name, unsigned field,
                        int64_t *to)
{
	const json_t *v = json_object_get(o, name);
	if (!v)
		return;
	ch->fields |= field;
	*to = number(v, CHANGE_NONE);
}

static void take_time(struct change *ch, const json_t *o, const char *name, unsigned field,
                      int64_t *us, int64_t *local_s)
{
	take_amount(ch, o, name, field, us);
	if (ch->fields & field)
		*local_s = rules_local_s(rules, *us);
}

static enum change_kind kind_of(const json_t *o)
{
	const char *kind = json_string_value(json_object_get(o, "kind"));
	must(kind);
	return strcmp(kind, "line") == 0     ? CHANGE_LINE
	       : strcmp(kind, "refund") == 0 ? CHANGE_REFUND
	                                     : CHANGE_ORDER;
}

static void put_change(struct changes *out, const json_t *o)
{
	struct change ch = {.kind = kind_of(o), .status_word = ""};
	ch.id = json_string_value(json_object_get(o, "id"));
	ch.deleted = json_is_true(json_object_get(o, "deleted"));
	ch.event = json_is_true(json_object_get(o, "event"));
	ch.birth = version(json_object_get(o, "birth"));
	ch.status = version(json_object_get(o, "status"));
	ch.registers = (json_object_get(o, "birth") ? WRITES_BIRTH : 0U) |
	               (json_object_get(o, "status") ? WRITES_STATUS : 0U);
	take_text(&ch, o, "status_word", HAS_STATUS, &ch.status_word);
	take_text(&ch, o, "currency", HAS_CURRENCY, &ch.currency);
	take_text(&ch, o, "customer", HAS_CUSTOMER, &ch.customer);
	take_text(&ch, o, "order_id", HAS_ORDER_ID, &ch.order_id);
	take_text(&ch, o, "item", HAS_ITEM, &ch.item);
	take_text(&ch, o, "name", HAS_NAME, &ch.name);
	take_text(&ch, o, "quantity", HAS_QUANTITY, &ch.quantity);
	take_text(&ch, o, "price", HAS_PRICE, &ch.price);
	take_text(&ch, o, "amount", HAS_AMOUNT, &ch.amount);
	take_amount(&ch, o, "total", HAS_TOTAL, &ch.total);
	take_amount(&ch, o, "discount", HAS_DISCOUNT, &ch.discount);
	take_amount(&ch, o, "tax", HAS_TAX, &ch.tax);
	take_amount(&ch, o, "shipping", HAS_SHIPPING, &ch.shipping);
	take_amount(&ch, o, "tip", HAS_TIP, &ch.tip);
	take_time(&ch, o, "placed", HAS_PLACED, &ch.placed_us, &ch.placed_local_s);
	take_time(&ch, o, "cancelled", HAS_CANCELLED, &ch.cancelled_us, &ch.cancelled_local_s);
	take_time(&ch, o, "refunded", HAS_REFUNDED, &ch.refunded_us, &ch.refunded_local_s);
	if (json_object_get(o, "location")) {
		ch.fields |= HAS_LOCATION;
		ch.location = (int32_t)number(json_object_get(o, "location"), 0);
	}
	changes_put(out, &ch);
}

static enum err run_batch(struct apply *a, struct changes *changes, const json_t *in,
                          struct applied *out, int64_t *us, struct errbuf *eb)
{
	enum { MOST = 100 };
	struct advance advances[MOST];
	struct dead_letter dead[MOST];
	const json_t *list = json_object_get(in, "advances"), *v;
	size_t i;
	struct batch b = {.changes = changes, .advances = advances, .dead = dead};
	json_array_foreach(list, i, v) advances[b.advances_n++] =
		(struct advance){.source = json_string_value(json_array_get(v, 0)),
	                     .topic = json_string_value(json_array_get(v, 1)),
	                     .partition = (int32_t)number(json_array_get(v, 2), 0),
	                     .from = number(json_array_get(v, 3), 0),
	                     .to = number(json_array_get(v, 4), 0)};
	list = json_object_get(in, "dead");
	json_array_foreach(list, i, v) dead[b.dead_n++] =
		(struct dead_letter){.at = {.source = json_string_value(json_array_get(v, 0)),
	                                .topic = json_string_value(json_array_get(v, 1)),
	                                .partition = (int32_t)number(json_array_get(v, 2), 0),
	                                .offset = number(json_array_get(v, 3), 0)},
	                         .value = "{\"\\",
	                         .value_n = 3,
	                         .reason = "invalid",
	                         .field = "order_id",
	                         .text = json_string_value(json_array_get(v, 4))};
	changes_clear(changes);
	list = json_object_get(in, "changes");
	json_array_foreach(list, i, v) put_change(changes, v);
	int64_t begun_us = clock_mono_us();
	enum err rc = apply_batch(a, &b, out, eb);
	*us = clock_mono_us() - begun_us;
	return rc;
}

static enum err answer(struct apply *a, struct changes *changes, const json_t *in)
{
	struct errbuf eb = {0};
	struct applied applied = {0};
	int64_t next = -1, us = 0;
	enum err rc = ERR_OK;
	const json_t *at = json_object_get(in, "position");
	if (json_object_get(in, "rules"))
		rc = apply_rules(a, &rules, &eb);
	else if (at)
		rc = apply_position(a, json_string_value(json_array_get(at, 0)),
		                    json_string_value(json_array_get(at, 1)),
		                    (int32_t)number(json_array_get(at, 2), 0), &next, &eb);
	else
		rc = run_batch(a, changes, in, &applied, &us, &eb);
	json_t *out = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "rc", rc == ERR_OK ? "ok" : err_name(rc),
		"orders", (json_int_t)applied.orders, "lines", (json_int_t)applied.lines, "refunds",
		(json_int_t)applied.refunds, "stale", (json_int_t)applied.stale, "next", (json_int_t)next,
		"us", (json_int_t)us, "text", eb.text);
	char *text = json_dumps(out, JSON_COMPACT);
	(void)printf("%s\n", text);
	(void)fflush(stdout);
	free(text);
	json_decref(out);
	return rc;
}

int main(void)
{
	struct errbuf eb = {0};
	struct conf *conf = NULL;
	struct apply *a = NULL;
	char *line = NULL;
	size_t cap = 0;
	statement_load_all();
	enum err rc = failpoint_init(&eb);
	if (rc == ERR_OK)
		rc = conf_load(&conf, CONF_STREAM, NULL, &eb);
	if (rc == ERR_OK)
		rc = apply_open(&a, conf, &eb);
	if (rc == ERR_OK)
		rc = apply_rules(a, &rules, &eb);
	if (rc != ERR_OK)
		(void)fprintf(stderr, "apply_cli: %s\n", eb.text);
	struct changes *changes = changes_new();
	while (rc == ERR_OK && getline(&line, &cap, stdin) > 0) {
		json_t *in = json_loads(line, 0, NULL);
		must(in);
		if (answer(a, changes, in) == ERR_DB_DOWN)
			break;
		json_decref(in);
	}
	free(line);
	changes_free(changes);
	apply_close(a);
	conf_free(conf);
	return rc == ERR_OK ? 0 : 1;
}
