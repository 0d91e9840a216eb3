/* activity_setup.c: one setup for all requests, replaced by a new one when it is a second old. */
#include "cgi-bin/activity_setup.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { KEEP_MS = 1000 };

struct activity_setups {
	pthread_mutex_t mutex;
	struct activity_setup *now; /* NULL: none was read yet */
};

struct activity_setups *activity_setups_new(void)
{
	struct activity_setups *all = mem_alloc(sizeof *all);
	*all = (struct activity_setups){0};
	must(pthread_mutex_init(&all->mutex, NULL) == 0);
	return all;
}

static void setup_free(struct activity_setup *setup)
{
	arena_fini(&setup->arena);
	free(setup);
}

/* With the mutex held. */
static void drop(struct activity_setup *setup)
{
	if (setup && --setup->users == 0)
		setup_free(setup);
}

void activity_setups_free(struct activity_setups *all)
{
	drop(all->now);
	(void)pthread_mutex_destroy(&all->mutex);
	free(all);
}

/* ---- reading ------------------------------------------------------------------------------ */

static void take_dimensions(struct activity_setup *setup, const struct rowset *rs)
{
	int n = rowset_rows(rs);
	struct activity_dimension *list = arena_array(&setup->arena, (size_t)n, sizeof *list);
	for (int i = 0; i < n; i++)
		list[i] = (struct activity_dimension){
			.id = (int)rowset_int(rs, i, "dimension_id"),
			.name = arena_strdup(&setup->arena, rowset_get(rs, i, "name")),
			.property = arena_strdup(&setup->arena, rowset_get(rs, i, "property"))};
	setup->rules.dimensions = list;
	setup->rules.dimensions_n = n;
}

/* A schema that cannot be read holds nothing up: it was looked at when it was written. */
static void take_types(struct activity_setup *setup, const struct rowset *rs)
{
	int n = rowset_rows(rs);
	struct activity_setup_type *list = arena_array(&setup->arena, (size_t)n, sizeof *list);
	setup->types = list;
	for (int i = 0; i < n; i++) {
		struct errbuf eb = {0};
		struct activity_setup_type *t = &list[setup->types_n];
		if (activity_schema_parse(&setup->arena, rowset_get(rs, i, "schema"), &t->schema, &eb) !=
		    ERR_OK) {
			log_err("schema_ignored", &eb);
			continue;
		}
		t->name = arena_strdup(&setup->arena, rowset_get(rs, i, "event_type"));
		t->enforce = *rowset_get(rs, i, "enforce") == 't';
		setup->types_n++;
	}
}

/* The words of a comma separated list. */
static void take_page_params(struct activity_setup *setup, const char *list)
{
	size_t room = strlen(list) / 2 + 1;
	const char **words = arena_array(&setup->arena, room, sizeof *words);
	int n = 0;
	for (size_t len; *list; list += len) {
		list += strspn(list, ", ");
		len = strcspn(list, ", ");
		if (len)
			words[n++] = arena_strndup(&setup->arena, list, len);
	}
	setup->rules.page_params = words;
	setup->rules.page_params_n = n;
}

static enum err read_new(struct call *c, struct activity_setup **out, struct errbuf *eb)
{
	struct rowset dimensions, types;
	const struct db_ask asks[] = {{"activity_setup_dimensions", DB_NO_PARAMS, &dimensions},
	                              {"activity_setup_types", DB_NO_PARAMS, &types}};
	int64_t now_ms = clock_mono_ms();
	enum err rc = call_ask(c, asks, 2, eb);
	if (rc != ERR_OK)
		return rc;
	struct activity_setup *setup = mem_alloc(sizeof *setup);
	*setup = (struct activity_setup){.conf = c->conf, .read_ms = now_ms};
	arena_init(&setup->arena);
	setup->rules.max_age_days = (int)conf_int(c->conf, CONF_MAX_EVENT_AGE_DAYS);
	take_dimensions(setup, &dimensions);
	take_types(setup, &types);
	take_page_params(setup, conf_str(c->conf, CONF_EVENT_PAGE_PARAMS));
	rowset_fini(&dimensions);
	rowset_fini(&types);
	*out = setup;
	return ERR_OK;
}

/* ---- sharing -------------------------------------------------------------------------------- */

enum err activity_setup_get(struct call *c, struct activity_setup **out, struct errbuf *eb)
{
	struct activity_setups *all = c->web->setups;
	struct activity_setup *setup;
	(void)pthread_mutex_lock(&all->mutex);
	setup = all->now;
	if (setup && setup->conf == c->conf && clock_mono_ms() - setup->read_ms < KEEP_MS)
		setup->users++;
	else
		setup = NULL;
	(void)pthread_mutex_unlock(&all->mutex);
	*out = setup;
	if (setup)
		return ERR_OK;
	enum err rc = read_new(c, &setup, eb);
	if (rc != ERR_OK)
		return rc;
	(void)pthread_mutex_lock(&all->mutex);
	drop(all->now);
	all->now = setup;
	setup->users = 2;
	(void)pthread_mutex_unlock(&all->mutex);
	*out = setup;
	return ERR_OK;
}

void activity_setup_release(struct call *c, struct activity_setup *setup)
{
	(void)pthread_mutex_lock(&c->web->setups->mutex);
	drop(setup);
	(void)pthread_mutex_unlock(&c->web->setups->mutex);
}

static int by_name(const void *name, const void *type)
{
	return strcmp(name, ((const struct activity_setup_type *)type)->name);
}

const struct activity_setup_type *activity_setup_find(const struct activity_setup *setup,
                                                      const char *type)
{
	if (setup->types_n == 0)
		return NULL;
	return bsearch(type, setup->types, (size_t)setup->types_n, sizeof *setup->types, by_name);
}
