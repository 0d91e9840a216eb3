/* source.c: opening order_db, learning its shape, asking its driver. */
#include "db/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/words.h"
#include "db/source_driver.h"

struct source {
	const struct source_driver *driver;
	void *conn;
	struct arena arena;
	struct source_shape shape;
	const char *local_zone;
	struct source_sql sql;
};

/* What order_db must or may have; order as in enum source_column. */
static const struct {
	const char *table, *names;
	bool required;
} columns[COL_COUNT] = {
	[COL_ORDER_ID] = {"orders", "id", true},
	[COL_STATUS] = {"orders", "status", true},
	[COL_TOTAL] = {"orders", "total_amount", true},
	[COL_CREATED] = {"orders", "created_at", true},
	[COL_UPDATED] = {"orders", "updated_at", false},
	[COL_LOCATION] = {"orders", "location_id", false},
	[COL_CURRENCY] = {"orders", "currency", false},
	[COL_CANCELLED] = {"orders", "cancelled_at", false},
	[COL_DISCOUNT] = {"orders", "discount", false},
	[COL_TAX] = {"orders", "tax", false},
	[COL_SHIPPING] = {"orders", "shipping", false},
	[COL_TIP] = {"orders", "tip", false},
	[COL_CUSTOMER] = {"orders", "customer_id", false},
	[COL_ITEM_ORDER] = {"order_items", "order_id", true},
	[COL_ITEM_ID] = {"order_items", "item_id|product_id", true},
	[COL_ITEM_NAME] = {"order_items", "name", true},
	[COL_ITEM_QUANTITY] = {"order_items", "quantity", true},
	[COL_ITEM_PRICE] = {"order_items", "unit_price", true},
	[COL_REFUND_ORDER] = {"order_refunds", "order_id", false},
	[COL_REFUND_AMOUNT] = {"order_refunds", "amount", false},
	[COL_REFUND_CREATED] = {"order_refunds", "created_at", false},
};

const char *source_column_table(enum source_column c)
{
	return columns[c].table;
}

const char *source_column_names(enum source_column c)
{
	return columns[c].names;
}

/* ---- shape ------------------------------------------------------------- */

/* Which of the accepted names of a column it is; -1: none. MySQL's, which know no
 * case, come in small letters; to PostgreSQL "Status" is another name. */
static int name_rank(int c, const char *name)
{
	return words_find(columns[c].names, '|', name, WORDS_EXACT);
}

static enum err take_column(void *arg, int cols, const char *const *v, struct errbuf *eb)
{
	struct source *s = arg;
	(void)cols;
	(void)eb;
	for (int c = 0; c < COL_COUNT; c++) {
		int rank = name_rank(c, v[1]);
		const char *taken = s->shape.col[c].name;
		if (strcasecmp(v[0], columns[c].table) != 0 || rank < 0)
			continue;
		if (taken && name_rank(c, taken) < rank)
			continue;
		int64_t scale = -1;
		if (v[3] && !num_parse_int(v[3], 0, 1000, &scale))
			scale = -1;
		s->shape.col[c].kind = s->driver->kind(v[2]);
		s->shape.col[c].scale = (int)scale;
		s->shape.col[c].name = arena_strdup(&s->arena, v[1]);
		s->shape.col[c].type = arena_strdup(&s->arena, v[2]);
		s->shape.col[c].indexed = v[4] && strcmp(v[4], "1") == 0;
	}
	return ERR_OK;
}

static bool is_clock(enum source_column c)
{
	return c == COL_CREATED || c == COL_UPDATED || c == COL_CANCELLED || c == COL_REFUND_CREATED;
}

static bool is_amount(enum source_column c)
{
	return c == COL_TOTAL || c == COL_DISCOUNT || c == COL_TAX || c == COL_SHIPPING ||
	       c == COL_TIP || c == COL_ITEM_QUANTITY || c == COL_ITEM_PRICE || c == COL_REFUND_AMOUNT;
}

static bool kind_fits(enum source_column c, enum source_kind kind)
{
	if (kind == KIND_ABSENT)
		return !columns[c].required;
	if (is_clock(c))
		return kind == KIND_CLOCK_UTC || kind == KIND_CLOCK_LOCAL;
	if (is_amount(c))
		return kind == KIND_INTEGER || kind == KIND_DECIMAL || kind == KIND_FLOAT;
	return c != COL_LOCATION || kind == KIND_INTEGER;
}

static bool has_part_of_refunds(const struct source *s)
{
	int n = 0;
	for (int c = COL_REFUND_ORDER; c <= COL_REFUND_CREATED; c++)
		n += s->shape.col[c].kind != KIND_ABSENT;
	return n > 0 && n < 3;
}

/* PostgreSQL compares no text with numbers. */
static bool joins_fit(const struct source *s, enum source_column c)
{
	return s->driver->mysql || s->shape.col[c].kind == KIND_ABSENT ||
	       s->shape.col[c].kind == s->shape.col[COL_ORDER_ID].kind;
}

static enum err check_shape(const struct source *s, struct errbuf *eb)
{
	struct buf bad;
	enum err rc = ERR_OK;
	buf_init(&bad);
	for (int c = 0; c < COL_COUNT; c++) {
		enum source_kind kind = s->shape.col[c].kind;
		if (kind_fits((enum source_column)c, kind))
			continue;
		buf_printf(&bad, "%s%s.%s %s%s", bad.len ? ", " : "", columns[c].table, columns[c].names,
		           kind == KIND_ABSENT ? "is missing" : "has type ",
		           kind == KIND_ABSENT ? "" : s->shape.col[c].type);
	}
	if (has_part_of_refunds(s))
		buf_printf(&bad, "%sorder_refunds needs order_id, amount and created_at",
		           bad.len ? ", " : "");
	if (!joins_fit(s, COL_ITEM_ORDER) || !joins_fit(s, COL_REFUND_ORDER))
		buf_printf(&bad, "%sorder_id is of another type than orders.id (%s)", bad.len ? ", " : "",
		           s->shape.col[COL_ORDER_ID].type);
	if (bad.len)
		rc = err_set_field(eb, ERR_CONFIG, "order_db",
		                   "order_db: %s; give it a view with these names", buf_str(&bad));
	buf_fini(&bad);
	return rc;
}

/* ---- opening ----------------------------------------------------------- */

static void put_percent(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		    strchr("-_.~", *s))
			buf_putc(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

/* The parts as a URL, so that a driver knows one form only. */
static void url_of_parts(const struct conf *conf, struct buf *url)
{
	bool mysql = strcmp(conf_str(conf, CONF_ORDER_TYPE), "mysql") == 0;
	const char *host = conf_str(conf, CONF_ORDER_HOST);
	bool socket = host[0] == '/';
	buf_puts(url, mysql ? "mysql://" : "postgresql://");
	put_percent(url, conf_str(conf, CONF_ORDER_USER));
	buf_putc(url, ':');
	put_percent(url, conf_str(conf, CONF_ORDER_PASSWORD));
	buf_putc(url, '@');
	if (!socket)
		put_percent(url, host);
	bool port_given = mysql || conf_is_set(conf, CONF_ORDER_PORT);
	buf_printf(url, ":%s/", port_given ? conf_str(conf, CONF_ORDER_PORT) : "5432");
	put_percent(url, conf_str(conf, CONF_ORDER_NAME));
	buf_printf(url, "?sslmode=%s", conf_str(conf, CONF_ORDER_SSLMODE));
	if (socket) {
		buf_puts(url, mysql ? "&socket=" : "&host=");
		put_percent(url, host);
	}
}

static enum err url_of_conf(const struct conf *conf, struct buf *url, struct errbuf *eb)
{
	if (conf_is_set(conf, CONF_ORDER_URL)) {
		buf_puts(url, conf_str(conf, CONF_ORDER_URL));
		return ERR_OK;
	}
	if (conf_is_sample_password(conf, conf_str(conf, CONF_ORDER_PASSWORD)))
		return err_set_field(
			eb, ERR_CONFIG, conf_name(CONF_ORDER_PASSWORD),
			"order_db is not configured: set %s, or %s to something else than a sample"
			" password (DEV=1 accepts it)",
			conf_name(CONF_ORDER_URL), conf_name(CONF_ORDER_PASSWORD));
	url_of_parts(conf, url);
	return ERR_OK;
}

static const struct source_driver *driver_of(const char *url)
{
	if (strncmp(url, "mysql://", 8) == 0 || strncmp(url, "mariadb://", 10) == 0)
		return &source_mysql;
	if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0)
		return &source_pg;
	return NULL;
}

static enum err open_with(struct source *s, const char *url, struct errbuf *eb)
{
	s->driver = driver_of(url);
	if (!s->driver)
		return err_set_field(eb, ERR_CONFIG, conf_name(CONF_ORDER_URL),
		                     "%s must begin with postgresql:// or mysql://",
		                     conf_name(CONF_ORDER_URL));
	enum err rc = s->driver->open(&s->conn, conf_name(CONF_ORDER_URL), url, eb);
	if (rc == ERR_OK)
		rc = s->driver->stream(s->conn, s->driver->columns_sql, 0, NULL, take_column, s, eb);
	return rc != ERR_OK ? rc : check_shape(s, eb);
}

enum err source_open(struct source **out, const struct conf *conf, struct errbuf *eb)
{
	struct source *s = mem_alloc(sizeof *s);
	struct buf url;
	arena_init(&s->arena);
	buf_init(&url);
	s->local_zone = conf_str(conf, CONF_ORDER_DB_TIMEZONE);
	enum err rc = url_of_conf(conf, &url, eb);
	if (rc == ERR_OK)
		rc = open_with(s, buf_str(&url), eb);
	buf_fini(&url);
	if (rc != ERR_OK) {
		source_close(s);
		return rc;
	}
	*out = s;
	return ERR_OK;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	if (s->conn)
		s->driver->close(s->conn);
	buf_fini(&s->sql.text);
	arena_fini(&s->arena);
	free(s);
}

const struct source_shape *source_shape_get(const struct source *s)
{
	return &s->shape;
}

const char *source_server(const struct source *s)
{
	return s->driver->server(s->conn);
}

const char *source_clock_zone(const struct source *s, enum source_column c)
{
	return s->shape.col[c].kind == KIND_CLOCK_LOCAL ? s->local_zone : "UTC";
}

/* ---- asking ------------------------------------------------------------ */

struct one_value {
	struct arena *arena;
	const char *text[2];
};

static enum err take_value(void *arg, int cols, const char *const *v, struct errbuf *eb)
{
	struct one_value *one = arg;
	(void)eb;
	for (int i = 0; i < cols && i < 2; i++)
		one->text[i] = v[i] ? arena_strdup(one->arena, v[i]) : NULL;
	return ERR_OK;
}

enum err source_snapshot_begin(struct source *s, struct arena *a, const char **text,
                               struct errbuf *eb)
{
	struct one_value one = {.arena = a};
	enum err rc = s->driver->command(s->conn, s->driver->snapshot_sql, eb);
	if (rc == ERR_OK)
		rc =
			s->driver->stream(s->conn, s->driver->snapshot_text_sql, 0, NULL, take_value, &one, eb);
	*text = one.text[0] ? one.text[0] : "";
	return rc;
}

void source_snapshot_end(struct source *s)
{
	struct errbuf ignored = {0};
	enum err rc = s->driver->command(s->conn, "ROLLBACK", &ignored);
	(void)rc; /* the connection is closed soon; nothing was written */
}

/* The answer of a statement that counts. */
static enum err ask_count(struct source *s, const char *sql, int64_t *n, struct errbuf *eb)
{
	struct arena a;
	arena_init(&a);
	struct one_value one = {.arena = &a};
	enum err rc = s->driver->stream(s->conn, sql, 0, NULL, take_value, &one, eb);
	must(rc != ERR_OK || (one.text[0] && num_parse_int(one.text[0], 0, INT64_MAX, n)));
	arena_fini(&a);
	return rc;
}

enum err source_first_order(struct source *s, struct arena *a, const char **clock,
                            int64_t *broken_n, struct errbuf *eb)
{
	struct one_value first = {.arena = a};
	const char *name = s->shape.col[COL_CREATED].name;
	struct buf whole;
	buf_init(&whole);
	bool partial =
		source_sql_put_whole_date(&whole, s->driver->mysql, s->shape.col[COL_CREATED].kind, name);
	const char *sql = arena_printf(a,
	                               "SELECT %s FROM orders WHERE %s >= '" SOURCE_FIRST_DATE
	                               "' AND %s < '" SOURCE_END_DATE "'%s%s ORDER BY %s LIMIT 1",
	                               name, name, name, partial ? " AND " : "", buf_str(&whole), name);
	enum err rc = s->driver->stream(s->conn, sql, 0, NULL, take_value, &first, eb);
	*clock = first.text[0];
	sql = arena_printf(a,
	                   "SELECT count(%s) FROM orders WHERE %s < '" SOURCE_FIRST_DATE
	                   "' OR %s >= '" SOURCE_END_DATE "'%s%s%s",
	                   name, name, name, partial ? " OR NOT coalesce(" : "", buf_str(&whole),
	                   partial ? ", 0)" : "");
	buf_fini(&whole);
	return rc == ERR_OK ? ask_count(s, sql, broken_n, eb) : rc;
}

enum err source_count_undated_refunds(struct source *s, int64_t *undated_n, struct errbuf *eb)
{
	*undated_n = 0;
	if (!source_can_answer(s, SOURCE_REFUNDS))
		return ERR_OK;
	struct arena a;
	struct buf whole;
	arena_init(&a);
	buf_init(&whole);
	const char *name = s->shape.col[COL_REFUND_CREATED].name;
	bool partial = source_sql_put_whole_date(&whole, s->driver->mysql,
	                                         s->shape.col[COL_REFUND_CREATED].kind, name);
	const char *sql = arena_printf(
		&a,
		"SELECT count(*) FROM order_refunds WHERE NOT coalesce(%s >= '" SOURCE_FIRST_DATE
		"' AND %s < '" SOURCE_END_DATE "'%s%s, %s)",
		name, name, partial ? " AND " : "", buf_str(&whole), s->driver->mysql ? "0" : "false");
	enum err rc = ask_count(s, sql, undated_n, eb);
	buf_fini(&whole);
	arena_fini(&a);
	return rc;
}

/* To MySQL the date 0000-00-00 of a column that is NOT NULL "IS NULL", too. */
enum err source_count_undated(struct source *s, int64_t *undated_n, struct errbuf *eb)
{
	struct arena a;
	arena_init(&a);
	const char *sql = arena_printf(&a, "SELECT count(*) FROM orders WHERE %s %s NULL",
	                               s->shape.col[COL_CREATED].name, s->driver->mysql ? "<=>" : "IS");
	enum err rc = ask_count(s, sql, undated_n, eb);
	arena_fini(&a);
	return rc;
}

static bool has_refunds(const struct source *s)
{
	return s->shape.col[COL_REFUND_ORDER].kind != KIND_ABSENT &&
	       s->shape.col[COL_REFUND_AMOUNT].kind != KIND_ABSENT &&
	       s->shape.col[COL_REFUND_CREATED].kind != KIND_ABSENT;
}

bool source_can_answer(const struct source *s, enum source_question q)
{
	switch (q) {
	case SOURCE_LATE_EDITS:
		return s->shape.col[COL_UPDATED].kind != KIND_ABSENT && s->shape.col[COL_UPDATED].indexed;
	case SOURCE_CANCELS:
	case SOURCE_LATE_CANCELS:
		return s->shape.col[COL_CANCELLED].kind != KIND_ABSENT;
	case SOURCE_REFUNDS:
	case SOURCE_REFUNDS_BY_ORDER:
	case SOURCE_LATE_REFUNDS:
	case SOURCE_EACH_REFUND:
		return has_refunds(s);
	case SOURCE_CUSTOMERS:
		return s->shape.col[COL_CUSTOMER].kind != KIND_ABSENT;
	case SOURCE_CUSTOMER_REFUNDS:
		return s->shape.col[COL_CUSTOMER].kind != KIND_ABSENT && has_refunds(s);
	default:
		return true;
	}
}

/* What a question reads, for messages. */
static const char *subject_of(enum source_question q)
{
	switch (q) {
	case SOURCE_ITEMS:
	case SOURCE_EACH_LINE:
		return "order_items";
	case SOURCE_REFUNDS:
	case SOURCE_REFUNDS_BY_ORDER:
	case SOURCE_LATE_REFUNDS:
	case SOURCE_EACH_REFUND:
	case SOURCE_CUSTOMER_REFUNDS:
		return "order_refunds";
	default:
		return "orders";
	}
}

enum err source_ask(struct source *s, enum source_question q, const struct source_window *w,
                    db_row_fn fn, void *arg, struct errbuf *eb)
{
	must(source_can_answer(s, q));
	if (w->utc.n == 0) /* only days a zone left out */
		return ERR_OK;
	source_sql_build(&s->sql, s->driver->mysql, &s->shape, q, w);
	bool hash = q == SOURCE_ORDERS && s->driver->sort_off_sql;
	enum err rc = hash ? s->driver->command(s->conn, s->driver->sort_off_sql, eb) : ERR_OK;
	struct errbuf why = {0};
	if (rc == ERR_OK)
		rc = s->driver->stream(s->conn, buf_str(&s->sql.text), s->sql.params_n, s->sql.params, fn,
		                       arg, &why);
	if (rc == ERR_DB)
		return err_set(eb, rc, "reading %s of order_db: %s", subject_of(q), why.text);
	if (rc != ERR_OK)
		return why.code ? err_set_field(eb, rc, why.field, "%s", why.text) : rc;
	return hash ? s->driver->command(s->conn, s->driver->sort_on_sql, eb) : ERR_OK;
}

/* ---- proofs ------------------------------------------------------------ */

enum write { WRITE_INSERT, WRITE_UPDATE, WRITE_DELETE, WRITES };

static const char *const write_words[WRITES] = {"INSERT", "UPDATE", "DELETE"};

/* A write that finds no row to write. IGNORE: the other columns may have no default. */
static const char *write_sql(struct arena *a, enum write which, const char *table,
                             const char *column)
{
	switch (which) {
	case WRITE_INSERT:
		return arena_printf(a, "INSERT IGNORE INTO %s (%s) SELECT %s FROM %s WHERE 1 = 0", table,
		                    column, column, table);
	case WRITE_UPDATE:
		return arena_printf(a, "UPDATE %s SET %s = %s WHERE 1 = 0", table, column, column);
	default:
		return arena_printf(a, "DELETE FROM %s WHERE 1 = 0", table);
	}
}

static enum source_verdict try_sql(struct source *s, const char *sql, struct errbuf *why)
{
	err_clear(why);
	if (s->driver->command(s->conn, sql, why) == ERR_OK)
		return SOURCE_ALLOWED;
	return why->code == ERR_DB && s->driver->refused(s->conn) ? SOURCE_REFUSED : SOURCE_UNTESTED;
}

/* One kind of write to one table, in a transaction that asks for write access. */
static enum source_verdict try_write(struct source *s, const char *sql, struct errbuf *why)
{
	enum source_verdict v = try_sql(s, s->driver->write_sql, why);
	if (v != SOURCE_ALLOWED)
		return v;
	v = try_sql(s, sql, why);
	source_snapshot_end(s);
	return v;
}

/* A right found counts more than a test that failed, and that more than a refusal. */
static void try_rights(struct source *s, struct source_probe *out)
{
	static const enum source_column tables[] = {COL_STATUS, COL_ITEM_NAME};
	struct arena a;
	struct buf found;
	arena_init(&a);
	buf_init(&found);
	out->role = SOURCE_REFUSED;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (int w = 0; w < WRITES; w++) {
			struct errbuf why = {0};
			const char *table = columns[tables[i]].table;
			const char *column = s->shape.col[tables[i]].name;
			enum source_verdict v = try_write(s, write_sql(&a, (enum write)w, table, column), &why);
			if (v == SOURCE_ALLOWED)
				buf_printf(&found, "%s%s on %s", found.len ? ", " : "", write_words[w], table);
			if (v == SOURCE_UNTESTED && out->role == SOURCE_REFUSED) {
				out->role = SOURCE_UNTESTED;
				(void)snprintf(out->role_why, sizeof out->role_why, "%s", why.text);
			}
		}
	if (found.len) {
		out->role = SOURCE_ALLOWED;
		(void)snprintf(out->role_why, sizeof out->role_why, "%s", buf_str(&found));
	}
	buf_fini(&found);
	arena_fini(&a);
}

static void ask_rights(struct source *s, struct source_probe *out)
{
	struct arena a;
	struct errbuf why = {0};
	arena_init(&a);
	struct one_value found = {.arena = &a};
	enum err rc =
		s->driver->stream(s->conn, s->driver->rights_sql, 0, NULL, take_value, &found, &why);
	const char *text = rc != ERR_OK ? why.text : found.text[0] ? found.text[0] : "";
	out->role = rc != ERR_OK ? SOURCE_UNTESTED : *text ? SOURCE_ALLOWED : SOURCE_REFUSED;
	(void)snprintf(out->role_why, sizeof out->role_why, "%s", text);
	arena_fini(&a);
}

void source_probe_write(struct source *s, struct source_probe *out)
{
	struct arena a;
	struct errbuf why = {0};
	arena_init(&a);
	*out = (struct source_probe){.session = SOURCE_UNTESTED};
	const char *column = s->shape.col[COL_STATUS].name;
	out->session = try_sql(s, write_sql(&a, WRITE_UPDATE, "orders", column), &why);
	if (out->session == SOURCE_UNTESTED)
		(void)snprintf(out->session_why, sizeof out->session_why, "%s", why.text);
	if (s->driver->rights_sql)
		ask_rights(s, out);
	else
		try_rights(s, out);
	arena_fini(&a);
}

const char *source_weak_tls(struct source *s, const char **word)
{
	*word = s->driver->tls_word;
	return s->driver->weak_tls(s->conn);
}
