/* fields.c: looking things up in fields.def. */
#include "cgi-bin/fields.h"

#include <stddef.h>
#include <string.h>

#include "domain/metrics.h"

enum { NULLABLE = FIELD_NULLABLE, OPTIONAL = FIELD_OPTIONAL };

static const struct field fields[] = {
#define SHAPE(name, meaning)
#define FIELD(of, name, type, detail, flags, example, meaning)                                     \
	{of, #name, FIELD_##type, detail, flags, example, NULL, meaning},
#include "cgi-bin/fields.def"
#undef FIELD
#undef SHAPE
};

static const struct shape shapes[] = {
#define SHAPE(name, meaning) {#name, meaning},
#define FIELD(...)
#include "cgi-bin/fields.def"
#undef FIELD
#undef SHAPE
};

enum { FIELDS = sizeof fields / sizeof *fields, SHAPES = sizeof shapes / sizeof *shapes };

static const struct field *row(const char *of, const char *name)
{
	for (int i = 0; i < FIELDS; i++)
		if (strcmp(fields[i].of, of) == 0 && strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

/* What the unit of a metric says about its field. */
static struct field metric_field(const struct metric *m)
{
	static const struct {
		enum field_type type;
		unsigned flags;
		const char *example;
	} units[] = {
		[UNIT_MONEY] = {FIELD_NUMBER, 0, "5435.01"},
		[UNIT_COUNT] = {FIELD_COUNT, 0, "149"},
		[UNIT_PERCENT] = {FIELD_NUMBER, FIELD_NULLABLE, "12.50"},
		[UNIT_CHANGE] = {FIELD_NUMBER, FIELD_NULLABLE, "-3.20"},
		[UNIT_HOUR] = {FIELD_HOUR, FIELD_NULLABLE, "13"},
		[UNIT_EITHER] = {FIELD_NUMBER, FIELD_NULLABLE, "5435"},
	};
	return (struct field){.of = "",
	                      .name = m->id,
	                      .type = units[m->unit].type,
	                      .flags = units[m->unit].flags,
	                      .example = units[m->unit].example};
}

/* Whether the row is complete; one without a meaning gets the metric's. */
static bool explain(struct field *f)
{
	const struct metric *m = metric_find(f->name);
	if (f->meaning)
		return true;
	if (!m)
		return false;
	f->label = m->label;
	f->meaning = m->formula;
	return true;
}

bool field_find(const char *of, const char *name, struct field *out)
{
	const struct field *f = row(of, name);
	const struct metric *m = metric_find(name);
	if (!f)
		f = row("", name);
	if (!f && !m)
		return false;
	*out = f ? *f : metric_field(m);
	return explain(out);
}

bool field_of_shape(const char *shape, int i, struct field *out)
{
	for (int k = 0; k < FIELDS; k++)
		if (strcmp(fields[k].of, shape) == 0 && i-- == 0) {
			*out = fields[k];
			return explain(out);
		}
	return false;
}

const struct shape *shape_find(const char *name)
{
	for (int i = 0; i < SHAPES; i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}

const struct shape *shape_get(int i)
{
	return i >= 0 && i < SHAPES ? &shapes[i] : NULL;
}
