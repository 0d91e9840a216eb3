/* prom.h: lines of the text format of Prometheus, version 0.0.4. */
#ifndef TAKINGS_BASE_PROM_H
#define TAKINGS_BASE_PROM_H

#include <stdint.h>

#include "base/buf.h"

/* HELP and TYPE of a family; its samples follow. */
void prom_family(struct buf *out, const char *name, const char *type, const char *help);

/* A family of one sample without labels. */
void prom_counter(struct buf *out, const char *name, const char *help, uint64_t n);
void prom_gauge(struct buf *out, const char *name, const char *help, int64_t n);

/* name="value", the value escaped. */
void prom_label(struct buf *out, const char *name, const char *value);

/* Seconds with six decimals: "0.000500". */
void prom_seconds(struct buf *out, uint64_t us);

#endif
