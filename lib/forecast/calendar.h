/* calendar.h: what the date itself says about a day: the time of the year, holidays, the days
 * around Christmas. Fitted by ridge regression beside the slots of the week and a trend, in
 * which older days count less. */
#ifndef TAKINGS_FORECAST_CALENDAR_H
#define TAKINGS_FORECAST_CALENDAR_H

#include "forecast/series.h"

enum { CALENDAR_WAVES_MAX = 10, CALENDAR_MARKS = 3 };

struct calendar {
	size_t waves;         /* harmonics of the year; 0: too short a history */
	double *wave;         /* for each step (n + h): a sine and a cosine for each */
	size_t names;         /* marks that can be learned: named days and dates around Christmas */
	int *mark;            /* for each step CALENDAR_MARKS of them, -1: none */
	const char **name;    /* of each step's first named day; NULL */
	bool *shut;           /* for each step: a day with a mark on which there never was anything */
	size_t special_ahead; /* steps of the horizon with a mark that was learned */
	const struct series *s;
};

/* What is known of the days of `s`. Without calendar or season nothing is: then false. */
bool calendar_prepare(struct arena *arena, const struct forecast_input *input,
                      const struct series *s, struct calendar *out);

/* Which of the n steps carry a mark whose effect is learned. */
bool *calendar_marked(struct arena *arena, const struct calendar *c);

/* The effect of the date on each step up to `origin` + s->h, learned from y before `origin`, on
 * the scale of y; `marks` takes that part of it which the marks have. */
bool calendar_effect(struct arena *scratch, const struct calendar *c, const double *y,
                     size_t origin, double *effect, double *marks) MUST_CHECK;

#endif
