/* format.h: figures as people write them. Input is the exact text of SQL; a text
 * that is not of the expected form is shown as it is. NULL becomes a dash. */
#ifndef TAKINGS_DOMAIN_FORMAT_H
#define TAKINGS_DOMAIN_FORMAT_H

#include "base/buf.h"
#include "domain/metrics.h"

/* 15420.50 EUR -> "€ 15,420.50" (with a narrow no-break space). */
void format_money(struct buf *out, const char *amount, const char *currency);

/* 1234567 -> "1,234,567"; decimals are kept. */
void format_number(struct buf *out, const char *number);

/* "12.34" -> "+12.3 %", "-3" -> "−3.0 %", one decimal, half-even is not needed to read. */
void format_change(struct buf *out, const char *percent);

/* 2025-11-14 -> "Fri 14 Nov", with the year unless it is that of `today`. */
void format_date(struct buf *out, const char *date, const char *today);

/* 19 -> "19:00–20:00". */
void format_hour(struct buf *out, const char *hour);

/* By the unit of a metric; EITHER as a count. */
void format_metric(struct buf *out, const struct metric *m, const char *value,
                   const char *currency);

#endif
