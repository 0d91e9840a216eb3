/* key.c: takings-batch key: keys of programs. Only their SHA-256 is kept: with 32 random bytes
 * in each there is nothing to guess. */
#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "base/log.h"
#include "base/num.h"
#include "batch/access.h"
#include "batch/terminal.h"
#include "domain/user.h"
#include "web/origin.h"
#include "web/secret.h"

struct wish {
	const char *name, *scope, *last_day;  /* NULL: not given */
	char origins[ORIGIN_KEY_BYTES + 100]; /* separated by commas; "": a secret key */
};

static enum err check_wish(const struct wish *w, struct errbuf *eb)
{
	if (!key_name_fits(w->name))
		return err_set_field(eb, ERR_INVALID, "name",
		                     "a key's name has 1 to %d bytes, all printable", KEY_NAME_BYTES);
	if (!key_scope_exists(w->scope))
		return err_set_field(eb, ERR_INVALID, "scope", "'%s' is no scope: ingest, read, admin",
		                     w->scope);
	if (w->last_day && !num_is_date(w->last_day))
		return err_set_field(eb, ERR_INVALID, "expires", "'%s' is not a date YYYY-MM-DD",
		                     w->last_day);
	return origin_key_check(w->scope, w->origins, eb);
}

static enum err check_day(struct db *db, const struct wish *w, struct errbuf *eb)
{
	struct rowset rs;
	if (!w->last_day)
		return ERR_OK;
	enum err rc = db_query(db, "key_last_day", DB_PARAMS({"last_day", w->last_day}), &rs, eb);
	if (rc == ERR_OK && strcmp(rowset_get(&rs, 0, "future"), "t") != 0)
		rc = err_set_field(eb, ERR_INVALID, "expires", "%s is over", w->last_day);
	rowset_fini(&rs);
	return rc;
}

static enum err store(struct db *db, const struct wish *w, struct buf *key, struct rowset *rs,
                      struct errbuf *eb)
{
	char prefix[SECRET_KEY_PREFIX], hash[SECRET_DIGEST_TEXT];
	struct buf detail;
	secret_key_make(key, prefix, hash);
	buf_init(&detail);
	buf_puts(&detail, "{\"name\": ");
	json_text_put(&detail, w->name, strlen(w->name));
	buf_printf(&detail, ", \"scope\": \"%s\"", w->scope);
	if (*w->origins)
		buf_printf(&detail, ", \"origins\": \"%s\"", w->origins);
	buf_putc(&detail, '}');
	enum err rc = access_change(
		db,
		&(struct access_change){
			.statement = "key_add",
			.params = DB_PARAMS({"name", w->name}, {"prefix", prefix}, {"key_hash", hash},
	                            {"scope", w->scope}, {"created_by", ACCESS_ACTOR},
	                            {"last_day", w->last_day}, {"origins", w->origins}),
			.action = "key_add",
			.detail = buf_str(&detail)},
		rs, eb);
	buf_fini(&detail);
	return rc;
}

static enum err key_add(struct db *db, const struct wish *w, struct errbuf *eb)
{
	struct rowset rs = {0};
	struct buf key;
	buf_init(&key);
	enum err rc = check_day(db, w, eb);
	if (rc == ERR_OK)
		rc = store(db, w, &key, &rs, eb);
	if (rc == ERR_OK) {
		(void)fprintf(stderr, "key %s: made; it is shown this once\n",
		              rowset_get(&rs, 0, "key_id"));
		(void)printf("%s\n", buf_str(&key));
	}
	rowset_fini(&rs);
	terminal_wipe(&key);
	return rc;
}

static enum err key_list(struct db *db, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(db, "key_list", DB_NO_PARAMS, &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++)
		(void)printf("%-4s %s...  %-7s %-16s made %s  last used %s  %s\n",
		             rowset_get(&rs, i, "key_id"), rowset_get(&rs, i, "prefix"),
		             rowset_get(&rs, i, "scope"), rowset_get(&rs, i, "state"),
		             rowset_get(&rs, i, "created"), rowset_get(&rs, i, "last_used"),
		             rowset_get(&rs, i, "name"));
	rowset_fini(&rs);
	return rc;
}

static enum err key_revoke(struct db *db, int64_t key_id, struct errbuf *eb)
{
	char object[32];
	const char *id = object + strlen("key:");
	struct rowset rs = {0};
	(void)snprintf(object, sizeof object, "key:%lld", (long long)key_id);
	enum err rc = access_change(db,
	                            &(struct access_change){.statement = "key_revoke",
	                                                    .params = DB_PARAMS({"key_id", id}),
	                                                    .action = "key_revoke",
	                                                    .object = object,
	                                                    .detail = "{}"},
	                            &rs, eb);
	if (rc == ERR_OK)
		(void)printf("key %s: %s... (%s) is revoked\n", id, rowset_get(&rs, 0, "prefix"),
		             rowset_get(&rs, 0, "name"));
	rowset_fini(&rs);
	return rc == ERR_NOT_FOUND ? err_set(eb, rc, "there is no key %s that could be revoked", id)
	                           : rc;
}

static bool add_origin(struct wish *w, const char *origin)
{
	size_t n = strlen(w->origins);
	int added = snprintf(w->origins + n, sizeof w->origins - n, "%s%s", n ? "," : "", origin);
	return added > 0 && (size_t)added < sizeof w->origins - n;
}

/* False for what `add` does not take, or lacks. */
static bool read_wish(int argc, char **argv, struct wish *w)
{
	for (int i = 0; i < argc; i++) {
		bool more = i + 1 < argc;
		if (strcmp(argv[i], "--scope") == 0 && more && !w->scope)
			w->scope = argv[++i];
		else if (strcmp(argv[i], "--expires") == 0 && more && !w->last_day)
			w->last_day = argv[++i];
		else if (strcmp(argv[i], "--origin") == 0 && more && add_origin(w, argv[i + 1]))
			i++;
		else if (argv[i][0] != '-' && !w->name)
			w->name = argv[i];
		else
			return false;
	}
	return w->name && w->scope;
}

enum job_exit job_key(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	struct wish wish = {0};
	int64_t id = 0;
	const char *verb = argc > 0 ? argv[0] : "";
	bool list = strcmp(verb, "list") == 0 && argc == 1;
	bool add = strcmp(verb, "add") == 0 && read_wish(argc - 1, argv + 1, &wish);
	bool revoke =
		strcmp(verb, "revoke") == 0 && argc == 2 && num_parse_int(argv[1], 1, INT64_MAX, &id);
	if (!list && !add && !revoke) {
		(void)fputs("takings-batch key: see takings-batch key --help\n", stderr);
		return JOB_USAGE;
	}
	enum err rc = add ? check_wish(&wish, &eb) : ERR_OK;
	if (rc == ERR_OK)
		rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = list ? key_list(db, &eb) : add ? key_add(db, &wish, &eb) : key_revoke(db, id, &eb);
	if (rc != ERR_OK)
		log_err("key_failed", &eb);
	db_close(db);
	return job_exit_of(rc);
}
