/* fields.h: every JSON field an answer may have, once (fields.def): its type, what it
 * means, whether it may be null or absent. The API's description is made from it. */
#ifndef TAKINGS_CGI_FIELDS_H
#define TAKINGS_CGI_FIELDS_H

#include <stdbool.h>

enum field_type {
	FIELD_TEXT,
	FIELD_COUNT,  /* whole, 0 or more */
	FIELD_INT,    /* whole */
	FIELD_HOUR,   /* 0 to 23 */
	FIELD_NUMBER, /* exact decimal */
	FIELD_BOOL,
	FIELD_DATE,
	FIELD_TIME, /* instant */
	FIELD_WORD, /* one of the words of `detail` */
	FIELD_URL,  /* a path of ours, or about:blank */
	FIELD_TEXTS,
	FIELD_WORDS,   /* a list of words of `detail` */
	FIELD_NUMBERS, /* a list of exact decimals, some of which may be null */
	FIELD_BOOLS,
	FIELD_OBJECT, /* of the shape `detail` */
	FIELD_LIST,   /* of objects of the shape `detail` */
	FIELD_MAP,    /* an object of any names; of counts, or with `detail` text or any of those */
	FIELD_MAPS,   /* a list of objects of any names and values */
};

enum { FIELD_NULLABLE = 1, FIELD_OPTIONAL = 2 };

struct field {
	const char *of; /* a shape, or the statement whose column it is; "": wherever the name stands */
	const char *name;
	enum field_type type;
	const char *detail; /* words separated by |, or the name of a shape; else NULL */
	unsigned flags;
	const char *example; /* as text; NULL for objects */
	const char *label;   /* of a metric; else NULL */
	const char *meaning;
};

/* A named object that answers contain. */
struct shape {
	const char *name, *meaning;
};

/* The field of this name in the shape or statement `of`: the row of exactly that, else the
 * row for all, else the metric of that name. False if the catalogue has none. */
bool field_find(const char *of, const char *name, struct field *out);

/* The fields of a shape, in order: false past the last one. */
bool field_of_shape(const char *shape, int i, struct field *out);

const struct shape *shape_find(const char *name); /* NULL if there is none */
const struct shape *shape_get(int i);             /* NULL past the last one */

#endif
