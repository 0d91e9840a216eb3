/* statuses.h: which orders count.
 *
 * A profile knows words that count and words that do not; any other status is
 * unknown: it does not count, and a run that meets one warns. The restaurant
 * profile counts the word SERVED as it is written; the other profiles know the
 * words of common shops in any case. COUNTED_STATUSES replaces the profile by a
 * list of exact words; all others are then known not to count. */
#ifndef TAKINGS_DOMAIN_STATUSES_H
#define TAKINGS_DOMAIN_STATUSES_H

enum status_verdict { STATUS_COUNTED, STATUS_UNCOUNTED, STATUS_UNKNOWN };

/* `profile` is a value of REVENUE_PROFILE, `counted` of COUNTED_STATUSES (""
 * where the profile decides). An order without status is unknown. */
enum status_verdict status_judge(const char *profile, const char *counted, const char *status);

#endif
