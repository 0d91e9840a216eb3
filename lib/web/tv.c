/* tv.c: growing arrays in an arena; a doubled one leaves its old self there. */
#include "web/tv.h"

#include <inttypes.h>
#include <string.h>

static const struct tv absent = {.kind = TV_ABSENT};

static struct tv *tv_new(struct arena *a, enum tv_kind kind)
{
	struct tv *v = arena_alloc(a, sizeof *v);
	v->kind = kind;
	return v;
}

struct tv *tv_object(struct arena *a)
{
	return tv_new(a, TV_OBJECT);
}

struct tv *tv_list(struct arena *a)
{
	return tv_new(a, TV_LIST);
}

struct tv *tv_bool(struct arena *a, bool truth)
{
	struct tv *v = tv_new(a, TV_BOOL);
	v->truth = truth;
	return v;
}

struct tv *tv_borrow(struct arena *a, const char *s)
{
	struct tv *v = tv_new(a, s ? TV_TEXT : TV_ABSENT);
	v->text = s;
	v->n = s ? strlen(s) : 0;
	return v;
}

struct tv *tv_text_n(struct arena *a, const char *s, size_t n)
{
	struct tv *v = tv_new(a, TV_TEXT);
	v->text = arena_strndup(a, s, n);
	v->n = n;
	return v;
}

struct tv *tv_text(struct arena *a, const char *s)
{
	return s ? tv_text_n(a, s, strlen(s)) : tv_new(a, TV_ABSENT);
}

struct tv *tv_int(struct arena *a, int64_t i)
{
	return tv_borrow(a, arena_printf(a, "%" PRId64, i));
}

/* An array with room for one more element. */
static void *grown(struct arena *a, void *old, struct tv *v, size_t size)
{
	if (v->n < v->cap)
		return old;
	v->cap = v->cap ? v->cap * 2 : 8;
	void *bigger = arena_array(a, v->cap, size);
	if (v->n)
		memcpy(bigger, old, v->n * size);
	return bigger;
}

static struct tv_pair *pair_find(const struct tv *object, const char *key)
{
	for (size_t i = 0; i < object->n; i++)
		if (strcmp(object->pairs[i].key, key) == 0)
			return &object->pairs[i];
	return NULL;
}

void tv_set(struct arena *a, struct tv *object, const char *key, const struct tv *value)
{
	must(object->kind == TV_OBJECT);
	struct tv_pair *pair = pair_find(object, key);
	if (!pair) {
		object->pairs = grown(a, object->pairs, object, sizeof *object->pairs);
		pair = &object->pairs[object->n++];
		pair->key = key;
	}
	pair->value = value ? value : &absent;
}

void tv_set_text(struct arena *a, struct tv *object, const char *key, const char *s)
{
	tv_set(a, object, key, tv_text(a, s));
}

void tv_set_int(struct arena *a, struct tv *object, const char *key, int64_t i)
{
	tv_set(a, object, key, tv_int(a, i));
}

void tv_set_bool(struct arena *a, struct tv *object, const char *key, bool truth)
{
	tv_set(a, object, key, tv_bool(a, truth));
}

void tv_push(struct arena *a, struct tv *list, const struct tv *value)
{
	must(list->kind == TV_LIST);
	list->items = grown(a, list->items, list, sizeof *list->items);
	list->items[list->n++] = value ? value : &absent;
}

const struct tv *tv_find(const struct tv *v, const char *key)
{
	if (!v || v->kind != TV_OBJECT)
		return NULL;
	const struct tv_pair *pair = pair_find(v, key);
	return pair ? pair->value : NULL;
}

bool tv_is_true(const struct tv *v)
{
	if (!v)
		return false;
	switch (v->kind) {
	case TV_BOOL:
		return v->truth;
	case TV_TEXT:
	case TV_LIST:
		return v->n > 0;
	case TV_OBJECT:
		return true;
	case TV_ABSENT:
		break;
	}
	return false;
}
