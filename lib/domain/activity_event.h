/* activity_event.h: what a tracked event says. Pure: the same bytes, rules and sender give the
 * same, but for an id of ours. docs/ACTIVITY.md describes the format with examples. */
#ifndef TAKINGS_DOMAIN_ACTIVITY_EVENT_H
#define TAKINGS_DOMAIN_ACTIVITY_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/jnode.h"

enum {
	ACTIVITY_BYTES = 64 * 1024, /* of one event */
	ACTIVITY_DEPTH = 4,         /* of one: properties may be three levels deep */
	ACTIVITY_TYPE_BYTES = 64,
	ACTIVITY_ID_BYTES = 128,    /* user_id, anonymous_id, session_id */
	ACTIVITY_PROPERTIES = 64,   /* names in properties, at all levels */
	ACTIVITY_NAME_BYTES = 100,  /* of such a name */
	ACTIVITY_LEVELS = 3,        /* of properties, itself included */
	ACTIVITY_NUMBER_BYTES = 64, /* of a number in properties */
	ACTIVITY_TEXT_BYTES = 1024, /* of a text in properties */
	ACTIVITY_VALUE_BYTES = 200, /* of a dimension's value; a longer one is cut */
	ACTIVITY_DIMENSIONS = 16,
	ACTIVITY_DIMENSIONS_LEAST = 8, /* those that are always there */
	ACTIVITY_QUANTITY = 1000000,
};

#define ACTIVITY_NO_TIME INT64_MIN

enum activity_flag {
	ACTIVITY_TRUSTED = 1 << 0,  /* by a secret key */
	ACTIVITY_CLAMPED = 1 << 1,  /* its time lay in the future: it is that of receipt */
	ACTIVITY_SKEWED = 1 << 2,   /* the sender's clock was off by more than a minute: corrected */
	ACTIVITY_LATE = 1 << 3,     /* received more than an hour after it happened */
	ACTIVITY_BOT_NAME = 1 << 4, /* a bot by the name it goes by, */
	ACTIVITY_BOT_HEADLESS = 1 << 5, /* by what a browser without a window says, */
	ACTIVITY_BOT_RATE = 1 << 6,     /* or by how much it does */
	ACTIVITY_BOT = ACTIVITY_BOT_NAME | ACTIVITY_BOT_HEADLESS | ACTIVITY_BOT_RATE,
};

struct activity_dimension {
	int id;               /* 1...ACTIVITY_DIMENSIONS */
	const char *name;     /* borrowed */
	const char *property; /* "": page, source, device, browser */
};

/* What the site says about events. Borrowed texts. */
struct activity_rules {
	int max_age_days; /* 0: none is too old */
	const struct activity_dimension *dimensions;
	int dimensions_n;
	const char *const *page_params; /* names that stay in a page's address */
	int page_params_n;
};

/* Who sent it, and how. Of a request it is the same for all its events. */
struct activity_sender {
	int64_t received_us;
	int64_t key_id; /* 0: none */
	bool trusted;
	const char *device;  /* of the client, as browser, by activity_agent; "" where it is not the */
	const char *browser; /* client that sends */
	unsigned flags;      /* ACTIVITY_BOT_... that hold for all of it */
	const char *host;    /* of the site: a referrer of the same host is no source; "" unknown */
};

/* Texts are UTF-8 in the arena; NULL where it does not say. */
struct activity_event {
	unsigned char event_id[16]; /* as it says, else one of ours: version 7, of received_us */
	const char *type;
	int64_t occurred_us, claimed_us, received_us; /* claimed_us may be ACTIVITY_NO_TIME */
	unsigned flags;
	int64_t key_id;
	const char *user_id, *anonymous_id, *session_id; /* one of them at least */
	int64_t session_key;
	const char *dims[ACTIVITY_DIMENSIONS]; /* [id - 1]; NULL: not set */
	int dims_n;                            /* the greatest id that is declared */
	const char *price;                     /* exact decimal >= 0 */
	int64_t quantity;                      /* 1...; 0: not said */
	const char *currency;
	const char *properties;     /* JSON object without what may not be kept, names in order */
	const char *const *dropped; /* what was not kept: "properties.email"; NULL: nothing */
	int dropped_n;
	int64_t digest; /* of what it says, without sent_at: equal for an event that is sent again */
	bool own_id;    /* the sender gave event_id */
};

/* ERR_INVALID: eb->field names what is wrong, "properties.price", "" where it is the whole;
 * ERR_NOTHING: it is too old (`eb` says how old), *out is filled all the same. `event` must be of
 * jnode_parse with any depth: that of the event is looked at here. */
MUST_CHECK enum err activity_event_read(struct arena *a, const struct jnode *event,
                                        const struct activity_rules *rules,
                                        const struct activity_sender *sender,
                                        struct activity_event *out, struct errbuf *eb);

/* Whole, as JSON that activity_event_restore reads back: for Kafka and the quarantine. */
void activity_event_save(const struct activity_event *e, struct buf *out);
MUST_CHECK enum err activity_event_restore(struct arena *a, const char *bytes, size_t n,
                                           struct activity_event *out, struct errbuf *eb);

/* What a User-Agent ("" for none) says: device ("desktop", "mobile", "tablet", "other"), browser's
 * family and ACTIVITY_BOT_...; literals. */
struct activity_agent {
	const char *device, *browser;
	unsigned flags;
};
struct activity_agent activity_agent_read(const char *user_agent);

/* 1 to ACTIVITY_TYPE_BYTES of a-z 0-9 _ . : - */
bool activity_type_is_fine(const char *type);

/* Of an id that two senders can have by mistake: "", "0", "null", "undefined", "anonymous", ... */
bool activity_id_is_blank(const char *id);

/* Lower-case text of an id, and back. */
void activity_id_format(const unsigned char id[16], char out[37]);
bool activity_id_parse(const char *text, unsigned char out[16]);

#endif
