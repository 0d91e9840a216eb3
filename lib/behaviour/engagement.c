/* engagement.c: see engagement.h. */
#include "behaviour/engagement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "base/words.h"

enum { WEIGHT_UNIT = 10000, WEIGHT_MAX = 1000 };

static const double HALF_LIFE_DAYS = 7, SCALE = 40;

/* ---- weights ----------------------------------------------------------------------- */

static bool is_type(const char *s, size_t n)
{
	return n > 0 && n <= ENGAGEMENT_TYPE_LEN &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.:-") == n && s[n] == '\0';
}

static enum err add(const char *setting, char *word, struct engagement_weights *w,
                    struct errbuf *eb)
{
	int64_t weight;
	char *sign = strchr(word, '=');
	if (!sign)
		return err_set_field(eb, ERR_CONFIG, setting, "%s: '%s' is no TYPE=WEIGHT", setting, word);
	*sign = '\0';
	if (!is_type(word, strlen(word)))
		return err_set_field(eb, ERR_CONFIG, setting,
		                     "%s: '%s' is no type of event: 1 to 64 of a-z 0-9 _ . : -", setting,
		                     word);
	if (!num_parse_decimal(sign + 1, 0, (int64_t)WEIGHT_MAX * WEIGHT_UNIT, &weight))
		return err_set_field(eb, ERR_CONFIG, setting,
		                     "%s: the weight of %s must be a number from 0 to %d, not '%s'",
		                     setting, word, WEIGHT_MAX, sign + 1);
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->of[i].type, word) == 0)
			return err_set_field(eb, ERR_CONFIG, setting, "%s: %s is there twice", setting, word);
	if (w->n == ENGAGEMENT_TYPES)
		return err_set_field(eb, ERR_CONFIG, setting, "%s has more than %d types", setting,
		                     ENGAGEMENT_TYPES);
	memcpy(w->of[w->n].type, word, strlen(word) + 1);
	w->of[w->n++].weight = (double)weight / WEIGHT_UNIT;
	return ERR_OK;
}

enum err engagement_weights_parse(const char *setting, const char *text,
                                  struct engagement_weights *out, struct errbuf *eb)
{
	enum { WORD = 256 }; /* words_next passes over longer ones */
	char word[WORD];
	enum err rc = ERR_OK;
	out->n = 0;
	for (const char *p = text; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") >= WORD)
			return err_set_field(eb, ERR_CONFIG, setting, "%s has a word that is too long",
			                     setting);
	while (rc == ERR_OK && words_next(&text, word, sizeof word))
		rc = add(setting, word, out, eb);
	if (rc == ERR_OK && out->n == 0)
		rc = err_set_field(eb, ERR_CONFIG, setting, "%s needs at least one TYPE=WEIGHT", setting);
	return rc;
}

double engagement_weight(const struct engagement_weights *w, const char *type)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->of[i].type, type) == 0)
			return w->of[i].weight;
	return 0;
}

/* ---- the score ---------------------------------------------------------------------- */

static int by_type_and_age(const void *a, const void *b)
{
	const struct engagement_count *x = a, *y = b;
	int order = strcmp(x->type, y->type);
	return order ? order : (x->age > y->age) - (x->age < y->age);
}

static int by_points(const void *a, const void *b)
{
	const struct engagement_part *x = a, *y = b;
	if (x->points != y->points)
		return x->points < y->points ? 1 : -1;
	return strcmp(x->type, y->type);
}

static void count(struct engagement_part *part, const struct engagement_count *c)
{
	int64_t counted = c->events < ENGAGEMENT_CAP ? c->events : ENGAGEMENT_CAP;
	part->events += c->events;
	part->counted += counted;
	part->points += part->weight * (double)counted * exp2(-c->age / HALF_LIFE_DAYS);
}

struct engagement engagement_make(const struct engagement_weights *w,
                                  const struct engagement_count *counts, size_t n,
                                  struct engagement_part *parts, size_t *parts_n)
{
	struct engagement e = {0};
	*parts_n = 0;
	if (n == 0)
		return e;
	/* Sums of floating point are the same only in the same order. */
	struct engagement_count *sorted = mem_alloc(n * sizeof *sorted);
	memcpy(sorted, counts, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_type_and_age);
	for (size_t i = 0; i < n; i++) {
		const struct engagement_count *c = &sorted[i];
		if (c->age < 0 || c->age >= ENGAGEMENT_DAYS)
			continue;
		if (*parts_n == 0 || strcmp(parts[*parts_n - 1].type, c->type) != 0)
			parts[(*parts_n)++] =
				(struct engagement_part){.type = c->type, .weight = engagement_weight(w, c->type)};
		count(&parts[*parts_n - 1], c);
	}
	free(sorted);
	for (size_t i = 0; i < *parts_n; i++)
		e.sum += parts[i].points;
	e.score = round(1000 * -expm1(-e.sum / SCALE)) / 10;
	qsort(parts, *parts_n, sizeof *parts, by_points);
	return e;
}
