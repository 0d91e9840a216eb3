/* conf.h: settings, read once at start from the environment and .env.
 *
 * The rows are in settings.def. A name may stand in the environment, in the
 * file, or as NAME_FILE naming a file that holds the value (Docker and
 * Kubernetes secrets), unless NAME_FILE is a setting of its own. For one name
 * the environment wins over the file. Two names of one setting with different
 * values are refused, and both are named. */
#ifndef TAKINGS_BASE_CONF_H
#define TAKINGS_BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum conf_id {
#define SETTING(id, ...) CONF_##id,
#include "base/settings.def"
#undef SETTING
	CONF_COUNT
};

enum conf_program { CONF_BATCH = 1, CONF_WEB = 2, CONF_STREAM = 4 };

struct conf;

/* Loads all settings `program` may see; the others keep their defaults and
 * their names are not looked at. `env_file` NULL: ".env" if it exists.
 * ERR_CONFIG names the setting: unreadable, wrong type, out of range, contradictory.
 * Unknown names in the file are logged as warnings. */
MUST_CHECK enum err conf_load(struct conf **out, enum conf_program program, const char *env_file,
                              struct errbuf *eb);
void conf_free(struct conf *c);

/* Everything anew, for the program of `old`: settings marked LIVE get their new values, the
 * others keep the old ones, with a warning where they were changed. Errors as of conf_load;
 * then `old` stays in force. */
MUST_CHECK enum err conf_reload(struct conf **out, const struct conf *old, const char *env_file,
                                struct errbuf *eb);

/* Never NULL; "" where empty. Borrowed. */
const char *conf_str(const struct conf *c, enum conf_id id);
int64_t conf_int(const struct conf *c, enum conf_id id);
double conf_decimal(const struct conf *c, enum conf_id id);
bool conf_bool(const struct conf *c, enum conf_id id);
bool conf_is_set(const struct conf *c, enum conf_id id); /* false: the default stands */

/* A password everybody knows ("password", "root", ...), refused unless DEV=1. */
bool conf_is_sample_password(const struct conf *c, const char *password);

/* A signing key out of somebody's documentation, or one of fewer than 8 different characters;
 * refused unless DEV=1. */
bool conf_is_sample_key(const struct conf *c, const char *key);

/* The canonical name, for messages. */
const char *conf_name(enum conf_id id);

/* Every setting the program sees: name, value (secrets masked), where it came from. */
void conf_print(const struct conf *c, struct buf *out);

/* The whole table as docs/CONFIG.md, and as .env.example. */
void conf_print_markdown(struct buf *out);
void conf_print_env_example(struct buf *out);

/* A URL with its password replaced by ***. What is not a URL understood to its last byte,
 * key=value strings included, is *** as a whole. */
void conf_mask_url(const char *url, struct buf *out);

#endif
