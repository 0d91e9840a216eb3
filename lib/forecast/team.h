/* team.h: many series, several threads.
 *
 * Each job has its own input and its own arena, so that the order in which threads take them
 * shows nowhere in the results. */
#ifndef TAKINGS_FORECAST_TEAM_H
#define TAKINGS_FORECAST_TEAM_H

#include <stddef.h>

/* Calls work(i, arg) once for each i below n, from `threads` threads (1..64; 0: one a processor)
 * and returns when all are done. `work` must touch nothing of another i. */
void team_run(size_t n, unsigned threads, void (*work)(size_t i, void *arg), void *arg);

#endif
