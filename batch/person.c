/* person.c: takings-batch person: what is held about somebody, and its end. What is printed is for
 * the owner of the site: the certificate names nobody. */
#include "domain/person.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jnode.h"
#include "batch/access.h"
#include "batch/terminal.h"
#include "domain/activity_event.h"

enum { DEPTH = 8, KINDS = 3 };

struct wish {
	const char *verb;
	struct person who;
	bool json, yes;
};

/* ---- the certificate ---------------------------------------------------------------- */

static const char *text_at(const struct jnode *object, const char *name)
{
	const char *text = jnode_string_at(object, name);
	return text ? text : "";
}

static int64_t int_at(const struct jnode *object, const char *name)
{
	int64_t n = 0;
	return jnode_int(jnode_get(object, name), &n) ? n : 0;
}

static void print_tables(const struct jnode *tables)
{
	for (const struct jnode *t = tables ? tables->first : NULL; t; t = t->next)
		if (int_at(t, "rows") > 0)
			(void)printf("  %8" PRId64 "  %-24s %s\n", int_at(t, "rows"), text_at(t, "table"),
			             text_at(t, "what"));
}

static void print_files(const struct jnode *files)
{
	if (!files || !files->first)
		return;
	(void)puts("reports that may name the customer, to be deleted where they are stored:");
	for (const struct jnode *f = files->first; f; f = f->next)
		(void)printf("  %s\n", jnode_string(f));
}

static enum err print_certificate(struct arena *a, const char *json, struct errbuf *eb)
{
	const struct jnode *top;
	enum err rc = jnode_parse(a, json, strlen(json), DEPTH, NULL, &top, eb);
	if (rc != ERR_OK)
		return rc;
	const struct jnode *ids = jnode_get(top, "ids");
	(void)printf("certificate %" PRId64 ": %s, %s, by %s\n", int_at(top, "certificate"),
	             text_at(top, "how"), text_at(top, "at"), text_at(top, "by"));
	(void)printf("subject %s\n", text_at(top, "subject"));
	(void)printf("ids: %" PRId64 " user, %" PRId64 " anonymous, %" PRId64 " session\n",
	             int_at(ids, "user"), int_at(ids, "anonymous"), int_at(ids, "session"));
	print_tables(jnode_get(top, "tables"));
	print_files(jnode_get(top, "files"));
	(void)printf("%s\n", text_at(top, "note"));
	return ERR_OK;
}

/* ---- what is asked ------------------------------------------------------------------- */

static enum err export_all(struct db *db, struct arena *a, const struct wish *w, struct errbuf *eb)
{
	const char *json, *subject;
	enum err rc = db_command(db, "BEGIN ISOLATION LEVEL REPEATABLE READ", eb);
	if (rc == ERR_OK)
		rc = person_export(db, a, &w->who, &json, eb);
	if (rc == ERR_OK)
		rc = person_subject(db, a, &w->who, &subject, eb);
	if (rc == ERR_OK)
		rc = access_note(db, "person_export", subject, "{}", eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc == ERR_OK)
		(void)puts(json);
	else
		db_rollback(db);
	return rc;
}

static enum err confirm(const struct wish *w, struct errbuf *eb)
{
	struct buf line;
	if (w->yes)
		return ERR_OK;
	if (!terminal_there())
		return err_set(eb, ERR_INVALID, "nobody is there to ask: --yes does it without asking");
	buf_init(&line);
	enum err rc = terminal_line("It cannot be undone. The id again: ", &line, eb);
	if (rc == ERR_OK && strcmp(buf_str(&line), w->who.id) != 0)
		rc = err_set(eb, ERR_INVALID, "that is not the id; nothing was changed");
	buf_fini(&line);
	return rc;
}

static enum err forget(struct db *db, struct arena *a, const struct wish *w, struct errbuf *eb)
{
	const struct person_asker asker = {.actor = ACCESS_ACTOR};
	const char *certificate;
	enum err rc = confirm(w, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "BEGIN", eb);
	if (rc != ERR_OK)
		return rc;
	rc = person_forget(db, a, &w->who, w->verb, &asker, &certificate, eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	if (rc != ERR_OK) {
		db_rollback(db);
		return rc;
	}
	if (w->json)
		(void)puts(certificate);
	return w->json ? ERR_OK : print_certificate(a, certificate, eb);
}

/* ---- the command line ------------------------------------------------------------------ */

static bool read_words(struct wish *w, int argc, char **argv)
{
	static const char *const kinds[KINDS] = {"user", "anonymous", "session"};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			w->json = true;
			continue;
		}
		if (strcmp(argv[i], "--yes") == 0) {
			w->yes = true;
			continue;
		}
		for (int k = 0; k < KINDS && !w->who.kind; k++)
			if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, kinds[k]) == 0 &&
			    i + 1 < argc)
				w->who = (struct person){.kind = kinds[k], .id = argv[i + 1]};
		if (!w->who.id || argv[++i] != w->who.id)
			return false;
	}
	return w->who.id && *w->who.id && strlen(w->who.id) <= ACTIVITY_ID_BYTES;
}

enum job_exit job_person(const struct conf *conf, int argc, char **argv)
{
	struct errbuf eb = {0};
	struct db *db = NULL;
	struct arena a;
	struct wish w = {.verb = argc > 0 ? argv[0] : ""};
	bool exports = strcmp(w.verb, "export") == 0;
	if (!(exports || strcmp(w.verb, "erase") == 0 || strcmp(w.verb, "anonymise") == 0) ||
	    !read_words(&w, argc, argv) || (exports && w.yes)) {
		(void)fputs("takings-batch person: see takings-batch person --help\n", stderr);
		return JOB_USAGE;
	}
	arena_init(&a);
	enum err rc = access_open(&db, conf, &eb);
	if (rc == ERR_OK)
		rc = exports ? export_all(db, &a, &w, &eb) : forget(db, &a, &w, &eb);
	if (rc != ERR_OK)
		(void)fprintf(stderr, "takings-batch person: %s\n", eb.text);
	db_close(db);
	arena_fini(&a);
	return job_exit_of(rc);
}
