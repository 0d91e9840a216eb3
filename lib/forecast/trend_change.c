/* trend_change.c: the best way to cut a series into levels, as long as that is no chance. */
#include "forecast/trend_change.h"

#include <math.h>
#include <string.h>

#include "forecast/numeric.h"

enum {
	NEAR = 3,     /* neighbours on each side that show what is wild */
	SHORTEST = 4, /* part, where there is no season */
};
static const double WILD = 3.5;   /* deviations from them */
static const double MARGIN = 1.3; /* over what the largest of n chances reaches */
static const double LIKENESS_MAX = .9;

struct cuts {
	const double *v; /* without wild values */
	size_t n, least;
	double middle;         /* taken off, so that squares keep their digits */
	double *sum, *squares; /* [i]: of the first i */
	double *work;
	double *cost[TREND_CHANGES_MAX + 1]; /* [k][i]: least squares of the first i in k + 1 parts */
	size_t *from[TREND_CHANGES_MAX + 1]; /* [k][i]: where the last of these parts begins */
	size_t at[TREND_CHANGES_MAX + 2];    /* 0, the cuts, n */
	size_t at_n;
};

/* Values far from the median of their neighbourhood become it (Hampel's filter). */
static const double *tame(struct arena *arena, const double *v, size_t n)
{
	double *out = arena_array(arena, n, sizeof *out), *off = arena_array(arena, n, sizeof *off);
	double near[2 * NEAR + 1];
	for (size_t i = 0; i < n; i++) {
		size_t from = i > NEAR ? i - NEAR : 0, to = i + NEAR < n ? i + NEAR + 1 : n;
		memcpy(near, v + from, (to - from) * sizeof *near);
		out[i] = numeric_quantile(near, to - from, .5);
		off[i] = fabs(v[i] - out[i]);
	}
	double *sorted = arena_array(arena, n, sizeof *sorted);
	memcpy(sorted, off, n * sizeof *sorted);
	double scale = 1.4826 * numeric_quantile(sorted, n, .5);
	for (size_t i = 0; i < n; i++)
		if (off[i] <= WILD * scale)
			out[i] = v[i];
	return out;
}

static double mean(const struct cuts *c, size_t from, size_t to)
{
	return c->middle + (c->sum[to] - c->sum[from]) / (double)(to - from);
}

/* The squares left over when from..to is one part. */
static double left_over(const struct cuts *c, size_t from, size_t to)
{
	double sum = c->sum[to] - c->sum[from];
	return fmax(c->squares[to] - c->squares[from] - sum * sum / (double)(to - from), 0);
}

/* The best ways to cut, by dynamic programming (Jackson et al. 2005): n squared. */
static void partition(struct arena *arena, struct cuts *c)
{
	for (size_t k = 0; k <= TREND_CHANGES_MAX; k++) {
		c->cost[k] = arena_array(arena, c->n + 1, sizeof **c->cost);
		c->from[k] = arena_array(arena, c->n + 1, sizeof **c->from);
		for (size_t i = 0; i <= c->n; i++) {
			c->cost[k][i] = k == 0 && i >= c->least ? left_over(c, 0, i) : INFINITY;
			for (size_t j = c->least; k > 0 && j + c->least <= i; j++) {
				double cost = c->cost[k - 1][j] + left_over(c, j, i);
				if (cost < c->cost[k][i])
					c->cost[k][i] = cost, c->from[k][i] = j;
			}
		}
	}
}

/* at[] of the best way to cut k times. */
static void cut(struct cuts *c, size_t k)
{
	c->at_n = k + 2;
	c->at[k + 1] = c->n;
	for (size_t i = k; i > 0; i--)
		c->at[i] = c->from[i][c->at[i + 1]];
	c->at[0] = 0;
}

/* The deviation of one value from its part, and of a long mean of n times root n: neighbours are
 * alike. */
static double long_run(const struct cuts *c, double *single)
{
	double near = 0, own = 0, last = 0;
	for (size_t k = 0; k + 1 < c->at_n; k++)
		for (size_t i = c->at[k]; i < c->at[k + 1]; i++) {
			double e = c->v[i] - mean(c, c->at[k], c->at[k + 1]);
			own += e * e;
			near += e * last;
			last = e;
		}
	double like = own > 0 ? fmin(fmax(near / own, 0), LIKENESS_MAX) : 0;
	*single = sqrt(own / (double)c->n);
	return *single * sqrt((1 + like) / (1 - like));
}

static bool all_matter(const struct cuts *c, double single)
{
	for (size_t k = 1; k + 1 < c->at_n; k++)
		if (fabs(mean(c, c->at[k - 1], c->at[k]) - mean(c, c->at[k], c->at[k + 1])) <= single)
			return false;
	return true;
}

/* As many cuts as pay for themselves: each by more than the largest of n chances gains. */
static void segment(struct arena *arena, struct cuts *c)
{
	double single, price = 2 * MARGIN * MARGIN * log((double)c->n), least;
	size_t most = TREND_CHANGES_MAX, best = 0;
	partition(arena, c);
	while (most > 0 && isinf(c->cost[most][c->n]))
		most--;
	cut(c, most);
	double spread = long_run(c, &single);
	/* Where nothing is left to chance, rounding is not to be explained. */
	spread = fmax(spread, 1e-9 * (fabs(c->v[0]) + fabs(c->v[c->n - 1])) + 1e-300);
	least = c->cost[0][c->n];
	for (size_t k = 1; k <= most; k++) {
		double cost = c->cost[k][c->n] + (double)k * price * spread * spread;
		cut(c, k);
		if (cost < least && all_matter(c, single))
			least = cost, best = k;
	}
	cut(c, best);
}

/* Whether levels leave less than the line through the middle with this slope. */
static bool better_than_line(const struct cuts *c, const size_t *t, double slope)
{
	double levels = 0, line = 0;
	for (size_t i = 0; i < c->n; i++)
		c->work[i] = c->v[i] - slope * (double)t[i];
	double middle = numeric_quantile(c->work, c->n, .5);
	for (size_t i = 0; i < c->n; i++) {
		double e = c->v[i] - slope * (double)t[i] - middle;
		line += e * e;
	}
	for (size_t k = 0; k + 1 < c->at_n; k++)
		for (size_t i = c->at[k]; i < c->at[k + 1]; i++) {
			double e = c->v[i] - mean(c, c->at[k], c->at[k + 1]);
			levels += e * e;
		}
	/* Each level has two numbers more, when and how much (Schwarz 1978). */
	double n = (double)c->n, more = 2 * (double)(c->at_n - 2);
	return levels < line * exp(-more * log(n) / n);
}

static double level(const struct cuts *c, size_t k)
{
	size_t n = c->at[k + 1] - c->at[k];
	memcpy(c->work, c->v + c->at[k], n * sizeof *c->work);
	return numeric_quantile(c->work, n, .5);
}

size_t trend_changes(struct arena *arena, const double *v, const size_t *t, size_t n, size_t least,
                     double slope, struct trend_change *changes)
{
	struct cuts c = {.n = n, .least = least > SHORTEST ? least : SHORTEST};
	c.v = tame(arena, v, n);
	c.sum = arena_array(arena, n + 1, sizeof *c.sum);
	c.work = arena_array(arena, n, sizeof *c.work);
	c.squares = arena_array(arena, n + 1, sizeof *c.squares);
	c.middle = c.v[n / 2];
	for (size_t i = 0; i < n; i++) {
		double off = c.v[i] - c.middle;
		c.sum[i + 1] = c.sum[i] + off;
		c.squares[i + 1] = c.squares[i] + off * off;
	}
	segment(arena, &c);
	if (c.at_n == 2 || !better_than_line(&c, t, slope))
		return 0;
	for (size_t k = 1; k + 1 < c.at_n; k++)
		changes[k - 1] = (struct trend_change){t[c.at[k]], level(&c, k - 1), level(&c, k)};
	return c.at_n - 2;
}
