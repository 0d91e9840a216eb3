/* funnel_people.c: who is behind a figure, a page at a time: each page goes through everybody, and
 * keeps those that come next by number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/time_text.h"
#include "base/words.h"
#include "cgi-bin/audit.h"
#include "cgi-bin/funnel_parts.h"
#include "db/rowset.h"

enum state { STATE_REACHED, STATE_DROPPED, STATE_OPEN };

/* Where one stands in the list: by person, and by session among the person's. */
struct place {
	int64_t person_id, nth;
};

struct found {
	struct place place;
	int reached;
	bool open;
	int64_t began_us, reached_us;
	uint16_t group;
};

struct page {
	int step, most; /* most: one more than is shown */
	enum state state;
	struct place after;
};

struct worker {
	const struct page *page;
	struct funnel_walker *walker;
	int n;
	int64_t person_id, nth; /* of the person at hand */
	struct found list[FUNNEL_PEOPLE + 1];
};

/* ---- looking ------------------------------------------------------------------------------- */

static int compare(const struct place *a, const struct place *b)
{
	if (a->person_id != b->person_id)
		return a->person_id < b->person_id ? -1 : 1;
	return (a->nth > b->nth) - (a->nth < b->nth);
}

static int compare_found(const void *a, const void *b)
{
	return compare(&((const struct found *)a)->place, &((const struct found *)b)->place);
}

static bool is_meant(const struct page *p, const struct funnel_way *way)
{
	if (p->state == STATE_REACHED)
		return way->reached >= p->step;
	if (p->state == STATE_OPEN)
		return way->reached < p->step && way->open;
	return way->reached == p->step - 1 && !way->open;
}

static void take(void *arg, const struct sequence *q, const struct funnel_way *way)
{
	struct worker *w = arg;
	struct place place = {q->person_id, w->nth++};
	int at = w->n;
	if (!is_meant(w->page, way) || compare(&place, &w->page->after) <= 0)
		return;
	while (at > 0 && compare(&place, &w->list[at - 1].place) < 0)
		at--;
	if (at == w->page->most)
		return;
	if (w->n < w->page->most)
		w->n++;
	memmove(&w->list[at + 1], &w->list[at], (size_t)(w->n - 1 - at) * sizeof *w->list);
	w->list[at] = (struct found){.place = place,
	                             .reached = way->reached,
	                             .open = way->open,
	                             .began_us = q->at_us[way->events[0]],
	                             .reached_us = q->at_us[way->events[way->reached - 1]],
	                             .group = way->group};
}

static void walk_person(void *arg, int worker, const struct sequence *q)
{
	struct worker *w = (struct worker *)arg + worker;
	w->nth = 0;
	funnel_walk(w->walker, q, take, w);
}

/* Those of all workers together, in order. */
static int gather(struct arena *a, const struct worker *workers, int n, int most,
                  struct found **out)
{
	int found_n = 0;
	*out = arena_array(a, (size_t)(n * most) + 1, sizeof **out);
	for (int k = 0; k < n; k++)
		for (int i = 0; i < workers[k].n; i++)
			(*out)[found_n++] = workers[k].list[i];
	qsort(*out, (size_t)found_n, sizeof **out, compare_found);
	return found_n < most ? found_n : most;
}

static enum err walk(struct call *c, struct funnel_question *q, const struct page *page,
                     struct found **out, int *n, struct errbuf *eb)
{
	struct arena *a = c->req->arena;
	struct worker *workers = arena_array(a, (size_t)q->open.dbs_n + 1, sizeof *workers);
	for (int k = 0; k < q->open.dbs_n; k++) {
		workers[k].page = page;
		workers[k].walker = funnel_walker_new(&q->funnels[0]);
	}
	q->scan.person = walk_person;
	q->scan.arg = workers;
	enum err rc = scan_call(c, &q->open, &q->scan, eb);
	*n = gather(a, workers, q->open.dbs_n, page->most, out);
	for (int k = 0; k < q->open.dbs_n; k++)
		funnel_walker_free(workers[k].walker);
	return rc;
}

/* ---- naming --------------------------------------------------------------------------------- */

static enum err name_groups(struct funnel_question *q, const struct found *found, int n,
                            struct funnel_person *list, struct errbuf *eb)
{
	uint16_t codes[FUNNEL_PEOPLE] = {0};
	const char *texts[FUNNEL_PEOPLE];
	if (q->funnels[0].breakdown < 0 || n == 0)
		return ERR_OK;
	for (int i = 0; i < n; i++)
		codes[i] = found[i].group;
	enum err rc = funnel_labels(q, codes, n, texts, eb);
	for (int i = 0; rc == ERR_OK && i < n; i++)
		list[i].group = texts[i];
	return rc;
}

static enum err name_people(struct funnel_question *q, const struct found *found, int n,
                            struct funnel_person *list, struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	struct rowset rs = {0};
	const char *ids = "";
	for (int i = 0; i < n; i++)
		ids = arena_printf(a, "%s%s%lld", ids, i ? "," : "", (long long)found[i].place.person_id);
	const struct db_ask ask = {"funnel_persons",
	                           DB_PARAMS({"people", arena_printf(a, "{%s}", ids)}), &rs};
	enum err rc = scan_ask(q->c, &q->open, &ask, 1, eb);
	for (int r = 0; rc == ERR_OK && r < rowset_rows(&rs); r++)
		for (int i = 0; i < n; i++)
			if (found[i].place.person_id == rowset_int(&rs, r, "person_id")) {
				list[i].kind = arena_strdup(a, rowset_get(&rs, r, "kind"));
				list[i].id = arena_strdup(a, rowset_get(&rs, r, "id"));
			}
	rowset_fini(&rs);
	return rc;
}

static enum err name(struct funnel_question *q, const struct found *found, int n,
                     struct funnel_people *out, struct errbuf *eb)
{
	struct arena *a = q->c->req->arena;
	struct funnel_person *list = arena_array(a, (size_t)n + 1, sizeof *list);
	for (int i = 0; i < n; i++)
		list[i] = (struct funnel_person){.person_id = found[i].place.person_id,
		                                 .reached = found[i].reached,
		                                 .is_open = found[i].open,
		                                 .began_at = funnel_time_text(a, found[i].began_us),
		                                 .reached_at = funnel_time_text(a, found[i].reached_us)};
	out->list = list;
	out->n = n;
	enum err rc = name_people(q, found, n, list, eb);
	return rc == ERR_OK ? name_groups(q, found, n, list, eb) : rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* "AS_OF.PERSON.NTH": pages of one list are all as of the same time. */
static enum err read_cursor(struct arena *a, const char *cursor, struct funnel_asked *asked,
                            struct page *page, struct errbuf *eb)
{
	int64_t as_of_us;
	page->after = (struct place){0, -1};
	if (!cursor)
		return ERR_OK;
	const char *person = strchr(cursor, '.'), *nth = person ? strchr(person + 1, '.') : NULL;
	if (!nth ||
	    !num_parse_int(arena_strndup(a, cursor, (size_t)(person - cursor)), 0, TIME_2200_US - 1,
	                   &as_of_us) ||
	    !num_parse_int(arena_strndup(a, person + 1, (size_t)(nth - person - 1)), 0, INT64_MAX,
	                   &page->after.person_id) ||
	    !num_parse_int(nth + 1, 0, INT64_MAX, &page->after.nth))
		return err_set_field(eb, ERR_INVALID, "cursor", "cursor must be the `next` of a page");
	asked->as_of = funnel_time_text(a, as_of_us);
	return ERR_OK;
}

static enum err read_page(const struct funnel_answer *question, const char *state,
                          struct page *page, struct errbuf *eb)
{
	int i = words_find("reached|dropped|open", '|', state, WORDS_EXACT);
	if (i < 0)
		return err_set_field(eb, ERR_INVALID, "state", "state must be reached, dropped or open");
	if (page->step < 1 || page->step > question->steps_n)
		return err_set_field(eb, ERR_INVALID, "step", "this funnel has steps 1 to %d",
		                     question->steps_n);
	page->state = (enum state)i;
	if (page->step == 1 && page->state != STATE_REACHED)
		return err_set_field(eb, ERR_INVALID, "state", "everybody who began reached step 1");
	return ERR_OK;
}

/* Before anything is told. */
static enum err note(struct call *c, const struct funnel_people *p, struct errbuf *eb)
{
	struct db *db;
	const struct funnel_answer *q = &p->question;
	enum err rc = call_begin(c, POOL_WRITE, &db, eb);
	if (rc != ERR_OK)
		return rc;
	rc = audit_note(c, db, "funnel_people",
	                arena_printf(c->req->arena, "funnel:%s", q->funnel_name ? q->funnel_name : ""),
	                arena_printf(c->req->arena,
	                             "{\"from\": \"%s\", \"to\": \"%s\", \"step\": %d, \"state\": "
	                             "\"%s\", \"people\": %d}",
	                             q->range.from, q->range.to, p->step, p->state, p->n),
	                eb);
	if (rc == ERR_OK)
		rc = db_command(db, "COMMIT", eb);
	pool_give(c->web->pool, db);
	return rc;
}

enum err funnel_people_make(struct call *c, const struct funnel_asked *asked, int step,
                            const char *state, const char *cursor, int rows,
                            struct funnel_people *out, struct errbuf *eb)
{
	struct funnel_question q = {.c = c};
	struct funnel_asked meant = *asked;
	struct page page = {.step = step, .most = rows + 1};
	struct found *found;
	int n = 0;
	must(rows >= 1 && rows <= FUNNEL_PEOPLE);
	*out = (struct funnel_people){.step = step, .state = state};
	meant.compare = NULL;
	enum err rc = read_cursor(c->req->arena, cursor, &meant, &page, eb);
	if (rc == ERR_OK)
		rc = funnel_question_begin(c, &meant, &q, &out->question, eb);
	if (rc == ERR_OK)
		rc = read_page(&out->question, state, &page, eb);
	if (rc == ERR_OK)
		rc = walk(c, &q, &page, &found, &n, eb);
	if (rc == ERR_OK)
		rc = name(&q, found, n < rows ? n : rows, out, eb);
	if (rc == ERR_OK && n > rows)
		out->next = arena_printf(c->req->arena, "%lld.%lld.%lld", (long long)out->question.as_of_us,
		                         (long long)found[rows - 1].place.person_id,
		                         (long long)found[rows - 1].place.nth);
	funnel_question_end(&q);
	return rc == ERR_OK ? note(c, out, eb) : rc;
}
