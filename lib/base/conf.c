/* conf.c: loading and checking; what a setting is stands in settings.def. */
#include "base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/words.h"

extern char **environ;

enum conf_type { STRING, INT, BOOL, CHOICE, DATE, LIST, DECIMAL };
enum { DECIMAL_UNIT = 10000, FILE_BYTES = 8 * 1024 };
enum { SECRET = 1, URL = 2, UNREAD = 4, KEY = 8, LIVE = 16 };
enum { B = CONF_BATCH, W = CONF_WEB, S = CONF_STREAM };

struct setting {
	const char *id;
	enum conf_type type;
	const char *fallback; /* default; for CHOICE "default|all,words" */
	int64_t min, max;
	unsigned flags;
	unsigned programs;
	const char *names; /* separated by | */
	const char *meaning;
};

static const struct setting settings[CONF_COUNT] = {
#define SETTING(id, type, fallback, min, max, flags, programs, names, meaning)                     \
	{#id, type, fallback, min, max, flags, programs, names, meaning},
#include "base/settings.def"
#undef SETTING
};

struct value {
	const char *text;   /* in the arena; the default until set */
	const char *name;   /* the alias that set it, NULL: default */
	const char *origin; /* "environment", the env file, or a secret's file */
};

struct conf {
	struct arena arena;
	enum conf_program program;
	struct value values[CONF_COUNT];
};

/* One NAME=VALUE before it is known to be a setting. */
struct entry {
	const char *name, *text, *origin;
	bool used;
};

struct entries {
	struct entry *rows;
	size_t n, cap;
};

/* The first name of each setting, cut off before any thread can ask for one. */
static char canonical[CONF_COUNT][48];

__attribute__((constructor)) static void cut_names(void)
{
	for (int id = 0; id < CONF_COUNT; id++) {
		size_t n = strcspn(settings[id].names, "|");
		must(n < sizeof canonical[id]);
		memcpy(canonical[id], settings[id].names, n);
	}
}

const char *conf_name(enum conf_id id)
{
	return canonical[id];
}

static void entries_add(struct entries *list, const char *name, const char *text,
                        const char *origin)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 64;
		list->rows = mem_realloc(list->rows, list->cap * sizeof *list->rows);
	}
	list->rows[list->n++] = (struct entry){name, text, origin, false};
}

static struct entry *entries_find(struct entries *list, const char *name, size_t n)
{
	for (size_t i = 0; i < list->n; i++)
		if (strlen(list->rows[i].name) == n && strncmp(list->rows[i].name, name, n) == 0)
			return &list->rows[i];
	return NULL;
}

/* NULL, and errno or *why, for what is no file one can read to its end: opening a pipe
 * would wait for a writer, for ever. */
static FILE *file_open(const char *path, const char **why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	*why = NULL;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		*why = "it is not a regular file";
		(void)close(fd);
		return NULL;
	}
	return fdopen(fd, "r");
}

/* ---- the env file ------------------------------------------------------ */

static char *trim(char *s)
{
	s += strspn(s, " \t");
	size_t n = strlen(s);
	while (n && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* Quotes around the whole value are taken off; otherwise " #" starts a comment. */
static char *unquote(char *s)
{
	size_t n = strlen(s);
	if (n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n - 1] == s[0]) {
		s[n - 1] = '\0';
		return s + 1;
	}
	char *comment = strstr(s, " #");
	if (comment)
		*comment = '\0';
	return trim(s);
}

static enum err env_line(struct conf *c, struct entries *list, char *line, const char *path, int no,
                         struct errbuf *eb)
{
	line = trim(line);
	if (*line == '\0' || *line == '#')
		return ERR_OK;
	if (strncmp(line, "export ", 7) == 0)
		line = trim(line + 7);
	char *eq = strchr(line, '=');
	if (!eq)
		return err_set(eb, ERR_CONFIG, "%s line %d is not NAME=VALUE", path, no);
	*eq = '\0';
	const char *name = trim(line);
	if (!entries_find(list, name, strlen(name))) /* the environment came first and wins */
		entries_add(list, arena_strdup(&c->arena, name),
		            arena_strdup(&c->arena, unquote(trim(eq + 1))), path);
	return ERR_OK;
}

static enum err env_file_read(struct conf *c, struct entries *list, const char *path, bool required,
                              struct errbuf *eb)
{
	const char *why;
	FILE *f = file_open(path, &why);
	if (!f && !why && errno == ENOENT && !required)
		return ERR_OK;
	if (!f && why)
		return err_set(eb, ERR_CONFIG, "cannot read %s: %s", path, why);
	if (!f)
		return err_set(eb, ERR_CONFIG, "cannot read %s: %m", path);
	char *line = NULL;
	size_t cap = 0;
	enum err rc = ERR_OK;
	for (int no = 1; rc == ERR_OK && getline(&line, &cap, f) >= 0; no++)
		rc = env_line(c, list, line, path, no, eb);
	if (rc == ERR_OK && ferror(f))
		rc = err_set(eb, ERR_CONFIG, "cannot read %s to its end: %m", path);
	free(line);
	(void)fclose(f);
	return rc;
}

/* ---- one setting ------------------------------------------------------- */

static const char *file_value(struct conf *c, const char *name, const char *path, struct errbuf *eb)
{
	struct buf text;
	struct errbuf why = {0};
	const char *value = NULL;
	buf_init(&text);
	if (file_read(path, FILE_BYTES, &text, &why) != ERR_OK) {
		(void)err_set_field(eb, ERR_CONFIG, name, "%s: %s", name, why.text);
	} else {
		size_t n = text.len;
		while (n && (text.data[n - 1] == '\n' || text.data[n - 1] == '\r'))
			n--;
		value = arena_strndup(&c->arena, buf_str(&text), n);
	}
	buf_fini(&text);
	return value;
}

static enum err take(struct value *v, const char *name, const char *text, const char *origin,
                     bool secret, struct errbuf *eb)
{
	if (v->name && strcmp(v->text, text) != 0)
		return err_set_field(
			eb, ERR_CONFIG, name,
			"%s%s%s (%s) and %s%s%s (%s) are the same setting with different values", v->name,
			secret ? "" : "=", secret ? "" : v->text, v->origin, name, secret ? "" : "=",
			secret ? "" : text, origin);
	if (!v->name)
		*v = (struct value){text, name, origin};
	return ERR_OK;
}

static bool is_canonical(const char *name)
{
	for (int id = 0; id < CONF_COUNT; id++)
		if (strcmp(canonical[id], name) == 0)
			return true;
	return false;
}

/* NAME, then NAME_FILE, unless that is a setting itself. An empty value counts as not set, as in
 * compose files. */
static enum err alias_load(struct conf *c, struct entries *list, enum conf_id id, const char *name,
                           struct errbuf *eb)
{
	const char *file_name = arena_printf(&c->arena, "%s_FILE", name);
	struct entry *plain = entries_find(list, name, strlen(name));
	struct entry *file =
		is_canonical(file_name) ? NULL : entries_find(list, file_name, strlen(file_name));
	bool secret = (settings[id].flags & (SECRET | URL)) != 0;
	if (plain) {
		plain->used = true;
		if (*plain->text && take(&c->values[id], name, plain->text, plain->origin, secret, eb))
			return eb->code;
	}
	if (file) {
		file->used = true;
		const char *text = *file->text ? file_value(c, file_name, file->text, eb) : "";
		if (!text)
			return eb->code;
		if (*text && take(&c->values[id], file_name, text, file->text, secret, eb))
			return eb->code;
	}
	return ERR_OK;
}

static const char *choice_words(const struct setting *s)
{
	return strchr(s->fallback, '|') + 1;
}

static bool in_words(const char *words, const char *text)
{
	return words_find(words, ',', text, WORDS_EXACT) >= 0;
}

static enum err check(const struct setting *s, struct value *v, struct errbuf *eb)
{
	static const char *const booleans = "0,1,true,false,yes,no,on,off";
	int64_t n;
	if (!v->name)
		return ERR_OK;
	if (s->type == INT && !num_parse_int(v->text, s->min, s->max, &n))
		return err_set_field(eb, ERR_CONFIG, v->name,
		                     "%s='%s' is not a whole number from %lld to %lld", v->name, v->text,
		                     (long long)s->min, (long long)s->max);
	if (s->type == DECIMAL && !num_parse_decimal(v->text, s->min, s->max, &n))
		return err_set_field(eb, ERR_CONFIG, v->name, "%s='%s' is not a number from %g to %g",
		                     v->name, v->text, (double)s->min / DECIMAL_UNIT,
		                     (double)s->max / DECIMAL_UNIT);
	if (s->type == BOOL && !in_words(booleans, v->text))
		return err_set_field(eb, ERR_CONFIG, v->name, "%s='%s' is none of %s", v->name, v->text,
		                     booleans);
	if (s->type == CHOICE && !in_words(choice_words(s), v->text))
		return err_set_field(eb, ERR_CONFIG, v->name, "%s='%s' is none of %s", v->name, v->text,
		                     choice_words(s));
	if (s->type == DATE && !num_is_date(v->text))
		return err_set_field(eb, ERR_CONFIG, v->name, "%s='%s' is not a date YYYY-MM-DD", v->name,
		                     v->text);
	return ERR_OK;
}

static const char *default_text(struct conf *c, const struct setting *s)
{
	return s->type == CHOICE ? arena_strndup(&c->arena, s->fallback, strcspn(s->fallback, "|"))
	                         : s->fallback;
}

/* The password inside a URL, "" if there is none; in the arena. */
static const char *url_password(struct conf *c, const char *url)
{
	const char *user = strstr(url, "://");
	const char *at = user ? strrchr(user, '@') : NULL;
	const char *colon = at ? memchr(user + 3, ':', (size_t)(at - user - 3)) : NULL;
	const char *word = strstr(url, "password=");
	if (colon)
		return arena_strndup(&c->arena, colon + 1, (size_t)(at - colon - 1));
	return word ? arena_strndup(&c->arena, word + 9, strcspn(word + 9, "& ")) : "";
}

static enum err check_url(struct conf *c, const struct setting *s, const struct value *v,
                          struct errbuf *eb)
{
	if (!(s->flags & URL) || !v->name || !conf_is_sample_password(c, url_password(c, v->text)))
		return ERR_OK;
	return err_set_field(eb, ERR_CONFIG, v->name,
	                     "%s has a password that everybody knows (DEV=1 accepts it)", v->name);
}

static enum err check_key(const struct conf *c, const struct setting *s, const struct value *v,
                          struct errbuf *eb)
{
	if (!(s->flags & KEY) || !v->name || !conf_is_sample_key(c, v->text))
		return ERR_OK;
	return err_set_field(eb, ERR_CONFIG, v->name,
	                     "%s is a sample that everybody knows (DEV=1 accepts it): make one with"
	                     " openssl rand -base64 48",
	                     v->name);
}

static enum err setting_load(struct conf *c, struct entries *list, enum conf_id id,
                             struct errbuf *eb)
{
	const struct setting *s = &settings[id];
	c->values[id] = (struct value){default_text(c, s), NULL, "default"};
	for (const char *name = s->names; *name; name += strcspn(name, "|"), name += *name == '|') {
		const char *one = arena_strndup(&c->arena, name, strcspn(name, "|"));
		if ((s->programs & (unsigned)c->program) && alias_load(c, list, id, one, eb) != ERR_OK)
			return eb->code;
		struct entry *other = entries_find(list, one, strlen(one));
		if (other)
			other->used = true;
	}
	enum err rc = check(s, &c->values[id], eb);
	/* DEV stands before these in the table, so it is known by now. */
	if (rc == ERR_OK)
		rc = check_url(c, s, &c->values[id], eb);
	return rc == ERR_OK ? check_key(c, s, &c->values[id], eb) : rc;
}

static void warn_unknown(const struct entries *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!list->rows[i].used && strcmp(list->rows[i].origin, "environment") != 0)
			LOG(LOG_WARNING, "setting_unknown", LOG_STR("name", list->rows[i].name),
			    LOG_STR("file", list->rows[i].origin), LOG_END);
}

enum err conf_load(struct conf **out, enum conf_program program, const char *env_file,
                   struct errbuf *eb)
{
	struct conf *c = mem_alloc(sizeof *c);
	struct entries list = {0};
	arena_init(&c->arena);
	c->program = program;
	for (char **e = environ; *e; e++) {
		const char *eq = strchr(*e, '=');
		if (eq)
			entries_add(&list, arena_strndup(&c->arena, *e, (size_t)(eq - *e)), eq + 1,
			            "environment");
	}
	enum err rc = env_file_read(c, &list, env_file ? env_file : ".env", env_file != NULL, eb);
	for (int id = 0; rc == ERR_OK && id < CONF_COUNT; id++)
		rc = setting_load(c, &list, (enum conf_id)id, eb);
	if (rc == ERR_OK)
		warn_unknown(&list);
	free(list.rows);
	if (rc != ERR_OK) {
		conf_free(c);
		return rc;
	}
	*out = c;
	return ERR_OK;
}

/* Takes over what was in force, for a setting that is read at start only. */
static void keep_value(struct conf *c, const struct conf *old, enum conf_id id)
{
	const struct value *was = &old->values[id];
	if (strcmp(c->values[id].text, was->text) != 0)
		LOG(LOG_WARNING, "setting_needs_restart", LOG_STR("name", conf_name(id)), LOG_END);
	c->values[id] = (struct value){arena_strdup(&c->arena, was->text),
	                               was->name ? arena_strdup(&c->arena, was->name) : NULL,
	                               arena_strdup(&c->arena, was->origin)};
}

enum err conf_reload(struct conf **out, const struct conf *old, const char *env_file,
                     struct errbuf *eb)
{
	enum err rc = conf_load(out, old->program, env_file, eb);
	for (int id = 0; rc == ERR_OK && id < CONF_COUNT; id++)
		if (!(settings[id].flags & LIVE))
			keep_value(*out, old, (enum conf_id)id);
	return rc;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	arena_fini(&c->arena);
	free(c);
}

/* ---- reading ----------------------------------------------------------- */

const char *conf_str(const struct conf *c, enum conf_id id)
{
	return c->values[id].text;
}

int64_t conf_int(const struct conf *c, enum conf_id id)
{
	int64_t v;
	must(num_parse_int(c->values[id].text, INT64_MIN, INT64_MAX, &v));
	return v;
}

double conf_decimal(const struct conf *c, enum conf_id id)
{
	int64_t v;
	must(num_parse_decimal(c->values[id].text, 0, INT64_MAX, &v));
	return (double)v / DECIMAL_UNIT;
}

bool conf_bool(const struct conf *c, enum conf_id id)
{
	return in_words("1,true,yes,on", c->values[id].text);
}

bool conf_is_set(const struct conf *c, enum conf_id id)
{
	return c->values[id].name != NULL;
}

bool conf_is_sample_password(const struct conf *c, const char *password)
{
	return !conf_bool(c, CONF_DEV) &&
	       in_words("password,root,postgres,changeme,secret,admin,takings", password);
}

bool conf_is_sample_key(const struct conf *c, const char *key)
{
	/* Pieces of the samples in tutorials, compose files and on jwt.io. */
	static const char *const samples[] = {
		"changeme",   "change-me",   "change_me",   "change-this", "change_this", "change-in",
		"change_in",  "your-secret", "your_secret", "your-super",  "your-256",    "your-jwt",
		"secret-key", "secret_key",  "secretkey",   "supersecret", "super-secret"};
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
		if (strcasestr(key, samples[i]))
			return !conf_bool(c, CONF_DEV);
	/* One character, or a run of few, over and over: fewer than 8 different ones are no secret. */
	bool seen[256] = {false};
	int different = 0;
	for (const char *p = key; *p; p++) {
		different += !seen[(unsigned char)*p];
		seen[(unsigned char)*p] = true;
	}
	return different < 8 && !conf_bool(c, CONF_DEV);
}

/* ---- showing ----------------------------------------------------------- */

static void print_value(const struct setting *s, const struct value *v, struct buf *out)
{
	if (s->flags & SECRET)
		buf_puts(out, *v->text ? "***" : "");
	else if (s->flags & URL)
		conf_mask_url(v->text, out);
	else
		buf_puts(out, v->text);
}

void conf_print(const struct conf *c, struct buf *out)
{
	for (int id = 0; id < CONF_COUNT; id++) {
		const struct value *v = &c->values[id];
		if (!(settings[id].programs & (unsigned)c->program))
			continue;
		buf_printf(out, "%-24s ", conf_name((enum conf_id)id));
		print_value(&settings[id], v, out);
		buf_printf(out, "  (%s%s%s)\n", v->name ? v->name : "", v->name ? ", " : "", v->origin);
	}
}

static void print_default(const struct setting *s, struct buf *out)
{
	buf_put(out, s->fallback, s->type == CHOICE ? strcspn(s->fallback, "|") : strlen(s->fallback));
}

static void print_range(const struct setting *s, struct buf *out)
{
	static const char *const kinds[] = {"text", "", "0 or 1", "", "date", "comma-separated list",
	                                    ""};
	if (s->type == INT)
		buf_printf(out, "%lld to %lld", (long long)s->min, (long long)s->max);
	else if (s->type == DECIMAL)
		buf_printf(out, "%g to %g", (double)s->min / DECIMAL_UNIT, (double)s->max / DECIMAL_UNIT);
	else
		buf_puts(out, s->type == CHOICE ? choice_words(s) : kinds[s->type]);
}

static const char *readers(const struct setting *s)
{
	if (s->flags & UNREAD)
		return "\xe2\x80\x93";
	static const char *const words[] = {
		"",       "batch",         "web",         "batch, web",
		"stream", "batch, stream", "web, stream", "batch, web, stream"};
	return words[s->programs & (B | W | S)];
}

void conf_print_markdown(struct buf *out)
{
	buf_puts(
		out,
		"# Settings\n\n"
		"Made from `lib/base/settings.def` by `takings-batch config --markdown`; do not edit.\n\n"
		"Each name may stand in the environment or in `.env`; `NAME_FILE` names a file that holds\n"
		"the value, unless that name has a row of its own. The environment wins over the file.\n"
		"Aliases have equal weight: two of them with different values stop the start, and the\n"
		"message names both. `takings-batch config` shows what is in force and where it came "
		"from.\n"
		"What is marked live, the web program reads again on SIGHUP; the rest at start.\n\n"
		"| name | values | default | aliases | read by | meaning |\n"
		"|---|---|---|---|---|---|\n");
	for (int id = 0; id < CONF_COUNT; id++) {
		const struct setting *s = &settings[id];
		buf_printf(out, "| `%s` | ", conf_name((enum conf_id)id));
		print_range(s, out);
		buf_puts(out, " | ");
		print_default(s, out);
		buf_puts(out, " | ");
		for (const char *p = strchr(s->names, '|'); p; p = strchr(p + 1, '|'))
			buf_printf(out, "`%.*s` ", (int)strcspn(p + 1, "|"), p + 1);
		buf_printf(out, "| %s | %s%s |\n", readers(s), s->meaning,
		           s->flags & LIVE && s->programs & W ? " (live)" : "");
	}
}

void conf_print_env_example(struct buf *out)
{
	buf_puts(out,
	         "# Copy to .env and change what differs. Lines that start with # show the defaults.\n"
	         "# All settings with their aliases: docs/CONFIG.md\n");
	for (int id = 0; id < CONF_COUNT; id++) {
		buf_printf(out, "\n# %s\n#%s=", settings[id].meaning, conf_name((enum conf_id)id));
		print_default(&settings[id], out);
		buf_putc(out, '\n');
	}
}
