/* user.c: takings-batch user: who may log in. Users are made here and nowhere else. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "batch/access.h"
#include "batch/terminal.h"
#include "domain/user.h"
#include "web/secret.h"
#include "web/token.h"

enum { GENERATED_BYTES = 18 }; /* 24 characters */

struct call {
	const struct conf *conf;
	struct db *db;
	char name[USER_NAME];
	char object[USER_NAME + 8]; /* user:NAME */
	const char *role;           /* NULL: none given */
	bool generate, yes;
};

typedef enum err (*verb_fn)(struct call *call, struct errbuf *eb);

/* ---- passwords --------------------------------------------------------- */

/* Asks for a password, or makes one, and hashes it. A made one stays in `shown` until the user
 * has it: it must not be printed for a change that fails. */
static enum err take_password(const struct call *call, struct buf *shown,
                              char hash[SECRET_HASH_TEXT], struct errbuf *eb)
{
	struct buf typed;
	enum err rc = ERR_OK;
	buf_init(&typed);
	if (call->generate)
		secret_random_text(GENERATED_BYTES, shown);
	else
		rc = terminal_password(&typed, eb);
	const struct buf *password = call->generate ? shown : &typed;
	if (rc == ERR_OK)
		rc = secret_password_check(call->name, buf_str(password), password->len, eb);
	if (rc == ERR_OK)
		rc = secret_password_hash(buf_str(password), password->len, hash, eb);
	terminal_wipe(&typed);
	return rc;
}

/* What happened goes to standard error, so that a script finds the password alone. */
static void tell(const struct call *call, const char *what, struct buf *shown)
{
	(void)fprintf(shown->len ? stderr : stdout, "user %s: %s\n", call->name, what);
	if (shown->len)
		(void)printf("%s\n", buf_str(shown));
	terminal_wipe(shown);
}

static enum err unknown(const struct call *call, enum err rc, struct errbuf *eb)
{
	return rc == ERR_NOT_FOUND ? err_set(eb, rc, "there is no user %s", call->name) : rc;
}

/* ---- what it can do ---------------------------------------------------- */

static void put_role(const struct call *call, char out[32])
{
	(void)snprintf(out, 32, "{\"role\": \"%s\"}", call->role);
}

static enum err user_add(struct call *call, struct errbuf *eb)
{
	struct buf shown;
	char hash[SECRET_HASH_TEXT], detail[32];
	buf_init(&shown);
	put_role(call, detail);
	enum err rc = take_password(call, &shown, hash, eb);
	if (rc == ERR_OK)
		rc = access_change(call->db,
		                   &(struct access_change){.statement = "user_add",
		                                           .params = DB_PARAMS({"username", call->name},
		                                                               {"role", call->role},
		                                                               {"password_hash", hash}),
		                                           .action = "user_add",
		                                           .object = call->object,
		                                           .detail = detail},
		                   NULL, eb);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(eb, ERR_INVALID, "there is a user %s already", call->name);
	if (rc == ERR_OK)
		tell(call, "added", &shown);
	terminal_wipe(&shown);
	return rc;
}

static enum err user_password(struct call *call, struct errbuf *eb)
{
	struct buf shown;
	char hash[SECRET_HASH_TEXT];
	buf_init(&shown);
	enum err rc = take_password(call, &shown, hash, eb);
	if (rc == ERR_OK)
		rc = access_change(call->db,
		                   &(struct access_change){.statement = "user_password_set",
		                                           .params = DB_PARAMS({"username", call->name},
		                                                               {"password_hash", hash}),
		                                           .action = "user_password",
		                                           .object = call->object,
		                                           .detail = "{}",
		                                           .sessions_of = call->name},
		                   NULL, eb);
	if (rc == ERR_OK)
		tell(call, "has a new password; sessions and tokens have ended", &shown);
	terminal_wipe(&shown);
	return unknown(call, rc, eb);
}

static enum err user_role(struct call *call, struct errbuf *eb)
{
	char detail[32];
	put_role(call, detail);
	enum err rc = access_change(
		call->db,
		&(struct access_change){.statement = "user_role_set",
	                            .params = DB_PARAMS({"username", call->name}, {"role", call->role}),
	                            .action = "user_role",
	                            .object = call->object,
	                            .detail = detail},
		NULL, eb);
	if (rc == ERR_OK)
		(void)printf("user %s: now %s\n", call->name, call->role);
	return unknown(call, rc, eb);
}

static enum err enabled_set(struct call *call, bool enabled, struct errbuf *eb)
{
	enum err rc = access_change(
		call->db,
		&(struct access_change){
			.statement = "user_enabled_set",
			.params = DB_PARAMS({"username", call->name}, {"enabled", enabled ? "true" : "false"}),
			.action = enabled ? "user_enable" : "user_disable",
			.object = call->object,
			.detail = "{}",
			.sessions_of = call->name},
		NULL, eb);
	if (rc == ERR_OK)
		(void)printf("user %s: %s; sessions and tokens have ended\n", call->name,
		             enabled ? "enabled" : "disabled");
	return unknown(call, rc, eb);
}

static enum err user_disable(struct call *call, struct errbuf *eb)
{
	return enabled_set(call, false, eb);
}

static enum err user_enable(struct call *call, struct errbuf *eb)
{
	return enabled_set(call, true, eb);
}

static enum err confirm(const struct call *call, struct errbuf *eb)
{
	struct buf line;
	if (call->yes)
		return ERR_OK;
	if (!terminal_there())
		return err_set(eb, ERR_INVALID, "nobody is there to ask: --yes deletes without asking");
	buf_init(&line);
	enum err rc = terminal_line("The name again, to delete it: ", &line, eb);
	if (rc == ERR_OK && strcmp(buf_str(&line), call->name) != 0)
		rc = err_set(eb, ERR_INVALID, "that is not %s; nothing was deleted", call->name);
	buf_fini(&line);
	return rc;
}

static enum err user_delete(struct call *call, struct errbuf *eb)
{
	enum err rc = confirm(call, eb);
	if (rc == ERR_OK)
		rc = access_change(call->db,
		                   &(struct access_change){.statement = "user_delete",
		                                           .params = DB_PARAMS({"username", call->name}),
		                                           .action = "user_delete",
		                                           .object = call->object,
		                                           .detail = "{}"},
		                   NULL, eb);
	if (rc == ERR_OK)
		(void)printf("user %s: deleted\n", call->name);
	return unknown(call, rc, eb);
}

static enum err user_list(struct call *call, struct errbuf *eb)
{
	struct rowset rs;
	enum err rc = db_query(call->db, "user_list", DB_NO_PARAMS, &rs, eb);
	for (int i = 0; rc == ERR_OK && i < rowset_rows(&rs); i++)
		(void)printf("%-20s %-8s %-9s made %s  last login %s  %s session(s)\n",
		             rowset_get(&rs, i, "username"), rowset_get(&rs, i, "role"),
		             strcmp(rowset_get(&rs, i, "enabled"), "t") == 0 ? "enabled" : "disabled",
		             rowset_get(&rs, i, "created"), rowset_get(&rs, i, "last_login"),
		             rowset_get(&rs, i, "sessions"));
	rowset_fini(&rs);
	return rc;
}

static enum err sign(struct call *call, const struct rowset *rs, struct buf *token,
                     struct errbuf *eb)
{
	struct token_rules rules;
	struct token_claims claims = {.version = (int)rowset_int(rs, 0, "token_version"),
	                              .issued_at = clock_now_us() / 1000000};
	if (strcmp(rowset_get(rs, 0, "enabled"), "t") != 0)
		return err_set(eb, ERR_INVALID, "user %s is disabled", call->name);
	memcpy(claims.username, call->name, sizeof call->name);
	enum err rc = token_rules_load(call->conf, &rules, eb);
	return rc == ERR_OK ? token_sign(&rules, &claims, token, eb) : rc;
}

static enum err user_token(struct call *call, struct errbuf *eb)
{
	struct rowset rs;
	struct buf token;
	buf_init(&token);
	enum err rc = db_query(call->db, "user_get", DB_PARAMS({"username", call->name}), &rs, eb);
	if (rc == ERR_OK && rowset_rows(&rs) == 0)
		rc = ERR_NOT_FOUND;
	if (rc == ERR_OK)
		rc = sign(call, &rs, &token, eb);
	if (rc == ERR_OK)
		rc = access_note(call->db, "user_token", call->object, "{}", eb);
	if (rc == ERR_OK)
		(void)printf("%s\n", buf_str(&token));
	rowset_fini(&rs);
	terminal_wipe(&token);
	return unknown(call, rc, eb);
}

/* ---- the words of the command ------------------------------------------ */

enum { NAME = 1, ROLE = 2, ROLE_OPTION = 4, GENERATE = 8, YES = 16 };

static const struct verb {
	const char *word;
	verb_fn run;
	unsigned takes; /* NAME, ROLE and ROLE_OPTION must be there */
} verbs[] = {
	{"list", user_list, 0},
	{"add", user_add, NAME | ROLE_OPTION | GENERATE},
	{"role", user_role, NAME | ROLE},
	{"password", user_password, NAME | GENERATE},
	{"disable", user_disable, NAME},
	{"enable", user_enable, NAME},
	{"delete", user_delete, NAME | YES},
	{"token", user_token, NAME},
};

static const struct verb *verb_find(const char *word)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].word, word) == 0)
			return &verbs[i];
	return NULL;
}

/* False for what the verb does not take, or lacks. */
static bool read_words(const struct verb *verb, int argc, char **argv, struct call *call,
                       const char **name)
{
	unsigned got = 0;
	for (int i = 0; i < argc; i++) {
		unsigned is = 0;
		if (strcmp(argv[i], "--role") == 0 && i + 1 < argc) {
			is = ROLE_OPTION;
			call->role = argv[++i];
		} else if (strcmp(argv[i], "--generate") == 0) {
			is = GENERATE;
			call->generate = true;
		} else if (strcmp(argv[i], "--yes") == 0) {
			is = YES;
			call->yes = true;
		} else if (argv[i][0] != '-' && !(got & NAME)) {
			is = NAME;
			*name = argv[i];
		} else if (argv[i][0] != '-') {
			is = ROLE;
			call->role = argv[i];
		}
		if (!(verb->takes & is) || (got & is))
			return false;
		got |= is;
	}
	unsigned must_have = verb->takes & (NAME | ROLE | ROLE_OPTION);
	return (got & must_have) == must_have;
}

static enum err check_words(struct call *call, const char *name, struct errbuf *eb)
{
	if (name && !user_name_parse(name, call->name))
		return err_set_field(eb, ERR_INVALID, "name",
		                     "'%s' is no user name: 1 to 64 of a-z 0-9 . _ @ + -, the first a"
		                     " letter or digit",
		                     name);
	if (call->role && !user_role_exists(call->role))
		return err_set_field(eb, ERR_INVALID, "role", "'%s' is no role: admin, analyst, viewer",
		                     call->role);
	(void)snprintf(call->object, sizeof call->object, "user:%s", call->name);
	return ERR_OK;
}

enum job_exit job_user(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct call call = {.conf = conf};
	const char *name = NULL;
	const struct verb *verb = verb_find(argc > 0 ? argv[0] : "");
	if (!verb || !read_words(verb, argc - 1, argv + 1, &call, &name)) {
		(void)fputs("takings-batch user: see takings-batch user --help\n", stderr);
		return JOB_USAGE;
	}
	enum err rc = check_words(&call, name, &eb);
	if (rc == ERR_OK)
		rc = access_open(&call.db, conf, &eb);
	if (rc == ERR_OK)
		rc = verb->run(&call, &eb);
	if (rc != ERR_OK)
		log_err("user_failed", &eb);
	db_close(call.db);
	return job_exit_of(rc);
}
