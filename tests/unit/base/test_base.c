/* test_base.c: the ground everything stands on, room lib/base. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/failpoint.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/num.h"

static char dir[64];
static struct errbuf eb;

/* ---- err --------------------------------------------------------------- */

static void test_err_first_wins(void **state)
{
	(void)state;
	err_clear(&eb);
	assert_int_equal(err_set_field(&eb, ERR_INVALID, "from", "no date: %d", 7), ERR_INVALID);
	assert_int_equal(err_set(&eb, ERR_DB, "later"), ERR_INVALID);
	assert_string_equal(eb.field, "from");
	assert_string_equal(eb.text, "no date: 7");
	assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
	err_clear(&eb);
	assert_int_equal(eb.code, ERR_OK);
	assert_int_equal(err_set(&eb, ERR_DB, "now"), ERR_DB);
	assert_string_equal(eb.field, "");
}

static void test_err_lengths(void **state)
{
	(void)state;
	char word[2000];
	for (int past = -1; past <= 1; past++) {
		size_t room = sizeof eb.field - 1, n = room + (size_t)past;
		memset(word, 'f', n);
		word[n] = '\0';
		err_clear(&eb);
		(void)err_set_field(&eb, ERR_INVALID, word, "x");
		assert_int_equal(strlen(eb.field), n < room ? n : room);
		room = sizeof eb.text - 1;
		n = room + (size_t)past;
		memset(word, 't', n);
		word[n] = '\0';
		err_clear(&eb);
		(void)err_set(&eb, ERR_INVALID, "%s", word);
		assert_int_equal(strlen(eb.text), n < room ? n : room);
	}
}

static void test_err_names(void **state)
{
	(void)state;
	for (int a = ERR_OK; a <= ERR_IO; a++)
		for (int b = ERR_OK; b < a; b++)
			assert_string_not_equal(err_name((enum err)a), err_name((enum err)b));
}

/* ---- arena ------------------------------------------------------------- */

static void test_arena(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 15, 16, 17, 65535, 65536, 65537, 1000000};
	struct arena a;
	arena_init(&a);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			unsigned char *p = arena_alloc(&a, sizes[i]);
			assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_true(p[k] == 0); /* after a reset too */
			memset(p, 0xff, sizes[i]);
		}
		arena_reset(&a);
	}
	assert_string_equal(arena_strdup(&a, "abc"), "abc");
	assert_string_equal(arena_strndup(&a, "abc", 2), "ab");
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	int *many = arena_array(&a, 1000, sizeof *many);
	assert_int_equal(many[999], 0);
	arena_fini(&a);
	arena_reset(&a);
	assert_null(a.head);
}

/* True if `f` ends in abort(). */
static bool aborts(void (*f)(void))
{
	int status;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void array_overflow(void)
{
	struct arena a;
	arena_init(&a);
	(void)arena_array(&a, SIZE_MAX / 8 + 2, 8);
}

static void alloc_too_much(void)
{
	struct arena a;
	arena_init(&a);
	(void)arena_alloc(&a, SIZE_MAX - 1);
}

static void must_fails(void)
{
	must(1 == 2);
}

static void test_bugs_abort(void **state)
{
	(void)state;
	assert_true(aborts(array_overflow));
	assert_true(aborts(alloc_too_much));
	assert_true(aborts(must_fails));
}

/* ---- buf --------------------------------------------------------------- */

static void test_buf(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b);
	assert_string_equal(buf_str(&b), "");
	buf_clear(&b);
	buf_put(&b, "", 0);
	assert_int_equal(b.len, 0);
	buf_puts(&b, "ab");
	buf_putc(&b, '\0');
	buf_putint(&b, INT64_MIN);
	buf_printf(&b, "|%s|%d", "x", 5);
	assert_memory_equal(b.data, "ab\0-9223372036854775808|x|5", b.len + 1);
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 100000; i++) {
		buf_putc(&b, (char)('a' + i % 26));
		assert_int_equal(b.data[b.len], '\0');
	}
	assert_int_equal(b.len, 100000);
	assert_int_equal(b.data[99999], 'a' + 99999 % 26);
	buf_fini(&b);
	assert_null(b.data);
}

/* Lengths around the first allocation, by each way in. */
static void test_buf_growth(void **state)
{
	(void)state;
	char text[600];
	memset(text, 'x', sizeof text);
	for (size_t n = 250; n < 520; n++) {
		struct buf put, print;
		buf_init(&put);
		buf_init(&print);
		buf_put(&put, text, n);
		buf_printf(&print, "%.*s", (int)n, text);
		assert_int_equal(put.len, n);
		assert_string_equal(buf_str(&put), buf_str(&print));
		buf_fini(&put);
		buf_fini(&print);
	}
}

/* ---- num --------------------------------------------------------------- */

static void test_num_int(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    "-",
	    "+1",
	    " 1",
	    "1 ",
	    "1.0",
	    "1e3",
	    "0x1",
	    "--1",
	    "1-",
	    "1\n2",
	    "abc",
	    "1,0",
	    "١",
	    "9223372036854775808",
	    "-9223372036854775809",
	};
	int64_t v = 77;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(num_parse_int(bad[i], INT64_MIN, INT64_MAX, &v));
	assert_int_equal(v, 77);
	assert_true(num_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MAX);
	assert_true(num_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MIN);
	assert_true(num_parse_int("007", 0, 10, &v));
	assert_int_equal(v, 7);
	assert_false(num_parse_int("4", 5, 10, &v));
	assert_true(num_parse_int("5", 5, 10, &v));
	assert_true(num_parse_int("6", 5, 10, &v));
	assert_true(num_parse_int("9", 5, 10, &v));
	assert_true(num_parse_int("10", 5, 10, &v));
	assert_false(num_parse_int("11", 5, 10, &v));
}

static void test_num_date(void **state)
{
	(void)state;
	static const char *const good[] = {
	    "0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29",
	    "2025-02-28", "2025-04-30", "2025-12-31",
	};
	static const char *const bad[] = {
	    "",           "0000-01-01",    "10000-01-01", "2025-02-29",  "1900-02-29",  "2024-02-30",
	    "2025-04-31", "2025-00-10",    "2025-13-01",  "2025-01-00",  "2025-01-32",  "2025-1-1",
	    "2025/01/01", "2025-01-1x",    " 2025-01-01", "2025-01-01 ", "2025-01-01T", "-025-01-01",
	    "20250101",   "2025-01-0\xc3",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(num_is_date(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (num_is_date(bad[i]))
			print_error("accepted '%s'\n", bad[i]);
		assert_false(num_is_date(bad[i]));
	}
}

/* ---- clock ------------------------------------------------------------- */

static void test_clock(void **state)
{
	(void)state;
	char text[CLOCK_TEXT];
	clock_format_utc(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format_utc(1736937000123999, text);
	assert_string_equal(text, "2025-01-15T10:30:00.123Z");
	clock_format_utc(1709251199999999, text); /* the last microsecond of a leap day */
	assert_string_equal(text, "2024-02-29T23:59:59.999Z");
	assert_true(clock_now_us() > 1700000000000000);
	int64_t before = clock_mono_ms();
	(void)usleep(2000);
	assert_true(clock_mono_ms() > before);
}

/* ---- json_text --------------------------------------------------------- */

#define FFFD "\\ufffd"

static const struct {
	const char *in;
	size_t n;
	const char *want;
} texts[] = {
    {"", 0, "\"\""},
    {"plain", 5, "\"plain\""},
    {"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
    {"\n\t\r\b\x01\x1f\x7f", 7, "\"\\n\\t\\r\\u0008\\u0001\\u001f\\u007f\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"</script>&", 10, "\"\\u003c/script\\u003e\\u0026\""},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", 9, "\"\\u2028\\u2029\xe2\x80\xaa\""},
    {"\x80", 1, "\"" FFFD "\""}, /* continuation alone */
    {"\xff"
     "a\xfe",
     3, "\"" FFFD "a" FFFD "\""},                           /* never UTF-8 */
    {"\xc3", 1, "\"" FFFD "\""},                            /* cut short */
    {"\xe2\x82", 2, "\"" FFFD FFFD "\""},                   /* cut short */
    {"\xf0\x9f\x98", 3, "\"" FFFD FFFD FFFD "\""},          /* cut short */
    {"\xc3(", 2, "\"" FFFD "(\""},                          /* not continued */
    {"\xc0\xaf", 2, "\"" FFFD FFFD "\""},                   /* overlong / */
    {"\xc1\xbf", 2, "\"" FFFD FFFD "\""},                   /* overlong */
    {"\xe0\x80\xaf", 3, "\"" FFFD FFFD FFFD "\""},          /* overlong */
    {"\xe0\x9f\xbf", 3, "\"" FFFD FFFD FFFD "\""},          /* overlong, the last one */
    {"\xe0\xa0\x80", 3, "\"\xe0\xa0\x80\""},                /* U+0800, the first that is not */
    {"\xed\x9f\xbf", 3, "\"\xed\x9f\xbf\""},                /* U+D7FF */
    {"\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\""},          /* U+D800, a surrogate */
    {"\xee\x80\x80", 3, "\"\xee\x80\x80\""},                /* U+E000 */
    {"\xf0\x8f\xbf\xbf", 4, "\"" FFFD FFFD FFFD FFFD "\""}, /* overlong */
    {"\xf0\x90\x80\x80", 4, "\"\xf0\x90\x80\x80\""},        /* U+10000 */
    {"\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\""},        /* U+10FFFF */
    {"\xf4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\""}, /* beyond */
    {"\xf5\x80\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\""}, /* beyond */
};

static void test_json_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct buf b;
		buf_init(&b);
		json_text_put(&b, texts[i].in, texts[i].n);
		assert_string_equal(buf_str(&b), texts[i].want);
		buf_fini(&b);
	}
	assert_int_equal(utf8_char_len("", 0), 0);
	assert_int_equal(utf8_char_len("a", 1), 1);
	assert_int_equal(utf8_char_len("\xc3\xa4", 2), 2);
	assert_int_equal(utf8_char_len("\xc3\xa4", 1), 0);
}

/* ---- log --------------------------------------------------------------- */

/* What `f` writes on standard error; valid until the next call. */
static const char *standard_error_of(void (*f)(void))
{
	static char text[8192];
	int ends[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(ends), 0);
	(void)dup2(ends[1], STDERR_FILENO);
	f();
	(void)dup2(saved, STDERR_FILENO);
	(void)close(ends[1]);
	ssize_t n = read(ends[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)close(ends[0]);
	(void)close(saved);
	return text;
}

static char long_value[1100];

static void log_some(void)
{
	log_init("unit", LOG_INFO);
	LOG(LOG_DEBUG, "unseen", LOG_END);
	LOG(LOG_WARNING, "seen", LOG_STR("text", "a\nb\"c\xff"), LOG_INT("n", -5),
	    LOG_STR("long", long_value), LOG_END);
}

static void test_log(void **state)
{
	(void)state;
	static const size_t lengths[][2] = {{1023, 1023}, {1024, 1024}, {1025, 1024}};
	for (size_t i = 0; i < 3; i++) {
		memset(long_value, 'x', lengths[i][0]);
		long_value[lengths[i][0]] = '\0';
		const char *line = standard_error_of(log_some);
		assert_int_equal(strcspn(line, "\n"), strlen(line) - 1); /* one line, ended */
		json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(j);
		assert_string_equal(json_string_value(json_object_get(j, "level")), "WARNING");
		assert_string_equal(json_string_value(json_object_get(j, "program")), "unit");
		assert_string_equal(json_string_value(json_object_get(j, "event")), "seen");
		assert_string_equal(json_string_value(json_object_get(j, "text")), "a\nb\"c\xef\xbf\xbd");
		assert_int_equal(json_integer_value(json_object_get(j, "n")), -5);
		assert_int_equal(json_string_length(json_object_get(j, "long")), lengths[i][1]);
		json_decref(j);
	}
	enum log_level level = LOG_INFO;
	assert_true(log_level_parse("ERROR", &level));
	assert_int_equal(level, LOG_ERROR);
	assert_false(log_level_parse("error", &level));
	assert_false(log_level_parse("", &level));
}

/* ---- conf -------------------------------------------------------------- */

static struct conf *conf;

static int conf_setup(void **state)
{
	(void)state;
	(void)clearenv();
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	conf = NULL;
	err_clear(&eb);
	log_init("unit", LOG_ERROR);
	(void)snprintf(dir, sizeof dir, "/tmp/takings-base-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int conf_teardown(void **state)
{
	char path[128];
	(void)state;
	conf_free(conf);
	(void)snprintf(path, sizeof path, "%s/env", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof path, "%s/secret", dir);
	(void)unlink(path);
	return rmdir(dir);
}

static const char *write_file(const char *name, const char *text)
{
	static char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* Loads with `file` as the content of the env file. */
static enum err load_as(enum conf_program program, const char *file)
{
	conf_free(conf);
	conf = NULL;
	err_clear(&eb);
	return conf_load(&conf, program, write_file("env", file), &eb);
}

static enum err load(const char *file)
{
	return load_as(CONF_BATCH, file);
}

static void assert_refused(const char *file, const char *field, const char *says)
{
	assert_int_equal(load(file), ERR_CONFIG);
	assert_null(conf);
	assert_string_equal(eb.field, field);
	if (!strstr(eb.text, says))
		print_error("says: %s\n", eb.text);
	assert_non_null(strstr(eb.text, says));
}

static void test_conf_defaults(void **state)
{
	(void)state;
	assert_int_equal(load(""), ERR_OK);
	assert_int_equal(conf_int(conf, CONF_PORT), 8087);
	assert_string_equal(conf_str(conf, CONF_LOG_LEVEL), "INFO");
	assert_string_equal(conf_str(conf, CONF_HISTORY_FROM), "");
	assert_true(conf_bool(conf, CONF_AUTO_MIGRATE));
	assert_false(conf_bool(conf, CONF_DEV));
	assert_false(conf_is_set(conf, CONF_PORT));
	assert_string_equal(conf_name(CONF_ANALYTICS_PORT), "ANALYTICS_DATABASE__PORT");
}

static void test_conf_file_syntax(void **state)
{
	(void)state;
	assert_int_equal(load("# comment\n\n"
	                      "  PORT = 9001  \r\n"
	                      "export BUSINESS_TIMEZONE=\"Europe/Berlin\"\n"
	                      "DEFAULT_CURRENCY='USD'\n"
	                      "HISTORY_FROM=2024-02-29 # the first day\n"
	                      "ANALYTICS_DB_PASSWORD=a=b#c\n"
	                      "LOG_LEVEL=\n"
	                      "DEV=yes"),
	                 ERR_OK);
	assert_int_equal(conf_int(conf, CONF_PORT), 9001);
	assert_string_equal(conf_str(conf, CONF_BUSINESS_TIMEZONE), "Europe/Berlin");
	assert_string_equal(conf_str(conf, CONF_DEFAULT_CURRENCY), "USD");
	assert_string_equal(conf_str(conf, CONF_HISTORY_FROM), "2024-02-29");
	assert_string_equal(conf_str(conf, CONF_ANALYTICS_PASSWORD), "a=b#c");
	assert_string_equal(conf_str(conf, CONF_LOG_LEVEL), "INFO"); /* empty is not set */
	assert_false(conf_is_set(conf, CONF_LOG_LEVEL));
	assert_true(conf_bool(conf, CONF_DEV));
	assert_refused("PORT=1\nwhat is this\n", "", "line 2 is not NAME=VALUE");
	err_clear(&eb);
	assert_int_equal(conf_load(&conf, CONF_BATCH, "/nowhere/env", &eb), ERR_CONFIG);
	assert_non_null(strstr(eb.text, "/nowhere/env"));
}

static void test_conf_precedence(void **state)
{
	(void)state;
	(void)setenv("PORT", "7001", 1);
	assert_int_equal(load("PORT=7002\n"), ERR_OK);
	assert_int_equal(conf_int(conf, CONF_PORT), 7001);
	(void)setenv("PORT", "", 1); /* as compose files do for what is not given */
	assert_int_equal(load("SERVER_PORT=7003\n"), ERR_OK);
	assert_int_equal(conf_int(conf, CONF_PORT), 7003);
}

static void test_conf_aliases(void **state)
{
	(void)state;
	static const char *const names[] = {"PORT", "SERVER__PORT", "SERVER_PORT"};
	char line[64];
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(line, sizeof line, "%s=7%zu\n", names[i], i);
		assert_int_equal(load(line), ERR_OK);
		assert_int_equal(conf_int(conf, CONF_PORT), 70 + (int)i);
		assert_true(conf_is_set(conf, CONF_PORT));
	}
	assert_int_equal(load("PORT=70\nSERVER_PORT=70\n"), ERR_OK);
	/* both names and both values are in the message */
	assert_refused("PORT=70\nSERVER__PORT=71\n", "SERVER__PORT", "PORT=70");
	assert_non_null(strstr(eb.text, "SERVER__PORT=71"));
	/* an environment variable does not silently win over another name in the file */
	(void)setenv("SERVER_PORT", "80", 1);
	assert_refused("PORT=81\n", "SERVER_PORT", "environment");
}

static void test_conf_conflict_hides_secrets(void **state)
{
	(void)state;
	assert_refused("ANALYTICS_DB_PASSWORD=hush1\nDB_PASSWORD=hush2\n", "DB_PASSWORD",
	               "ANALYTICS_DB_PASSWORD");
	assert_null(strstr(eb.text, "hush"));
	assert_refused("DATABASE_URL=mysql://u:hush1@h/d\nORDER_DATABASE_URL=mysql://u:hush2@h/d\n",
	               "ORDER_DATABASE_URL", "DATABASE_URL");
	assert_null(strstr(eb.text, "hush"));
}

static void test_conf_secret_files(void **state)
{
	(void)state;
	char file[256], secret[128];
	(void)snprintf(secret, sizeof secret, "%s", write_file("secret", "s3cret word\r\n\n"));
	(void)snprintf(file, sizeof file, "ANALYTICS_DB_PASSWORD_FILE=%s\n", secret);
	assert_int_equal(load(file), ERR_OK);
	assert_string_equal(conf_str(conf, CONF_ANALYTICS_PASSWORD), "s3cret word");
	(void)snprintf(file, sizeof file, "DB_PASSWORD=other\nANALYTICS_DB_PASSWORD_FILE=%s\n", secret);
	assert_refused(file, "DB_PASSWORD", "ANALYTICS_DB_PASSWORD_FILE");
	assert_null(strstr(eb.text, "s3cret"));
	assert_refused("DB_PASSWORD_FILE=/nowhere/at/all\n", "DB_PASSWORD_FILE", "/nowhere/at/all");
	assert_int_equal(load("DB_PASSWORD_FILE=\n"), ERR_OK);
	(void)write_file("secret", "");
	(void)snprintf(file, sizeof file, "DB_PASSWORD_FILE=%s\n", secret);
	assert_int_equal(load(file), ERR_OK);
	assert_false(conf_is_set(conf, CONF_ANALYTICS_PASSWORD));
}

static void test_conf_secret_file_size(void **state)
{
	(void)state;
	char file[256], text[9000];
	for (size_t n = 8191; n <= 8193; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		(void)snprintf(file, sizeof file, "DB_PASSWORD_FILE=%s\n", write_file("secret", text));
		assert_int_equal(load(file), n > 8192 ? ERR_CONFIG : ERR_OK);
		if (n <= 8192)
			assert_int_equal(strlen(conf_str(conf, CONF_ANALYTICS_PASSWORD)), n);
	}
}

static void test_conf_types(void **state)
{
	(void)state;
	assert_int_equal(load("PORT=1\n"), ERR_OK);
	assert_int_equal(load("PORT=2\n"), ERR_OK);
	assert_int_equal(load("PORT=65534\n"), ERR_OK);
	assert_int_equal(load("PORT=65535\n"), ERR_OK);
	assert_refused("PORT=0\n", "PORT", "'0' is not a whole number from 1 to 65535");
	assert_refused("PORT=65536\n", "PORT", "65536");
	assert_refused("SERVER_PORT=http\n", "SERVER_PORT", "whole number");
	assert_refused("PORT=-1\n", "PORT", "whole number");
	assert_refused("PORT=80.0\n", "PORT", "whole number");
	assert_refused("DEV=maybe\n", "DEV", "none of");
	assert_refused("DEV=1,true\n", "DEV", "none of");
	assert_refused("LOG_LEVEL=info\n", "LOG_LEVEL", "none of DEBUG,INFO,WARNING,ERROR");
	assert_refused("LOG_LEVEL=INF\n", "LOG_LEVEL", "none of");
	assert_refused("LOG_LEVEL=DEBUG,INFO\n", "LOG_LEVEL", "none of");
	assert_refused("HISTORY_FROM=2025-02-29\n", "HISTORY_FROM", "not a date");
	static const char *const yes[] = {"DEV=1", "DEV=true", "DEV=yes", "DEV=on"};
	static const char *const no[] = {"DEV=0", "DEV=false", "DEV=no", "DEV=off"};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(load(yes[i]), ERR_OK);
		assert_true(conf_bool(conf, CONF_DEV));
		assert_int_equal(load(no[i]), ERR_OK);
		assert_false(conf_bool(conf, CONF_DEV));
	}
}

/* The web program must not even look at what only others may see. */
static void test_conf_programs(void **state)
{
	(void)state;
	const char *file = "ORDER_DB_PORT=nonsense\nORDER_DB_PASSWORD=hush\nHTTP_THREADS=512\n";
	assert_int_equal(load_as(CONF_WEB, file), ERR_OK);
	assert_string_equal(conf_str(conf, CONF_ORDER_PASSWORD), "password");
	assert_int_equal(conf_int(conf, CONF_HTTP_THREADS), 512);
	assert_int_equal(load_as(CONF_WEB, "HTTP_THREADS=511"), ERR_OK);
	assert_int_equal(load_as(CONF_WEB, "HTTP_THREADS=513"), ERR_CONFIG);
	assert_int_equal(load_as(CONF_BATCH, file), ERR_CONFIG);
	assert_string_equal(eb.field, "ORDER_DB_PORT");
}

static void load_unknown(void)
{
	log_init("unit", LOG_WARNING);
	assert_int_equal(load("PROT=1\nPORT=9\nORDER_DB_HOST=h\n"), ERR_OK);
}

static void test_conf_unknown_names_are_told(void **state)
{
	(void)state;
	const char *lines = standard_error_of(load_unknown);
	assert_non_null(strstr(lines, "PROT"));
	assert_null(strstr(lines, "ORDER_DB_HOST"));
}

static const char *printed(void)
{
	static struct buf b;
	buf_clear(&b);
	conf_print(conf, &b);
	return buf_str(&b);
}

static void test_conf_masks(void **state)
{
	(void)state;
	assert_int_equal(load("DB_PASSWORD=hush\nDATABASE_URL=postgresql://u:hush@h:1/d\nPORT=7\n"),
	                 ERR_OK);
	assert_null(strstr(printed(), "hush"));
	assert_non_null(strstr(printed(), "postgresql://u:***@h:1/d"));
	assert_non_null(strstr(printed(), "PORT                     7  (PORT, "));
	assert_non_null(strstr(printed(), "(default)"));
	static const struct {
		const char *url, *want;
	} rows[] = {
	    {"", ""},
	    {"postgresql://h/d", "postgresql://h/d"},
	    {"postgresql://u@h:5432/d", "postgresql://u@h:5432/d"},
	    {"mysql://u:p@h:3306/d", "mysql://u:***@h:3306/d"},
	    {"mysql://u:p@ss:w@h/d", "mysql://u:***@h/d"},
	    {"mysql://u:@h/d", "mysql://u:***@h/d"},
	    {"postgresql:///d?host=/s&password=p&sslmode=disable",
	     "postgresql:///d?host=/s&password=***&sslmode=disable"},
	    {"postgresql://u:p@h/d?password=q", "postgresql://u:***@h/d?password=***"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b;
		buf_init(&b);
		conf_mask_url(rows[i].url, &b);
		assert_string_equal(buf_str(&b), rows[i].want);
		buf_fini(&b);
	}
}

static void test_conf_sample_passwords(void **state)
{
	(void)state;
	assert_int_equal(load(""), ERR_OK);
	assert_true(conf_is_sample_password(conf, "password"));
	assert_true(conf_is_sample_password(conf, "root"));
	assert_false(conf_is_sample_password(conf, "passwor"));
	assert_false(conf_is_sample_password(conf, "password1"));
	assert_int_equal(load("DEV=1"), ERR_OK);
	assert_false(conf_is_sample_password(conf, "password"));
}

static void test_conf_documents(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b);
	conf_print_markdown(&b);
	for (int id = 0; id < CONF_COUNT; id++)
		assert_non_null(strstr(buf_str(&b), conf_name((enum conf_id)id)));
	buf_clear(&b);
	conf_print_env_example(&b);
	assert_non_null(strstr(buf_str(&b), "\n#PORT=8087\n"));
	assert_non_null(strstr(buf_str(&b), "\n#LOG_LEVEL=INFO\n"));
	/* the example is itself a file that can be loaded */
	assert_int_equal(load(buf_str(&b)), ERR_OK);
	buf_fini(&b);
}

/* ---- failpoint --------------------------------------------------------- */

/* In a child: arms `text`, passes the first failpoint `passes` times.
 * Returns the exit status (the enum err of arming), or -signal. */
static int with_failpoint(const char *text, int passes)
{
	int status;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		(void)setenv("TAKINGS_FAILPOINT", text, 1);
		enum err rc = failpoint_init(&eb);
		for (int i = 0; rc == ERR_OK && i < passes; i++)
			failpoint_pass((enum failpoint)0);
		_exit((int)rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static const char *point(const char *action)
{
	static char text[96];
	(void)snprintf(text, sizeof text, "%s=%s", failpoint_name(0), action);
	return text;
}

static void test_failpoint(void **state)
{
	(void)state;
	err_clear(&eb);
	assert_int_equal(with_failpoint("", 5), ERR_OK);
	assert_int_equal(with_failpoint(point("kill"), 0), ERR_OK);
	assert_int_equal(with_failpoint(point("kill"), 1), -SIGKILL);
	assert_int_equal(with_failpoint(point("kill@3"), 2), ERR_OK);
	assert_int_equal(with_failpoint(point("kill@3"), 3), -SIGKILL);
	char other[96];
	(void)snprintf(other, sizeof other, "%s=kill", failpoint_name(1));
	assert_int_equal(with_failpoint(other, 3), ERR_OK);
	static const char *const bad[] = {"die", "", "kill@0", "kill@-1", "kill@", "kill@x", "kill@1x"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(with_failpoint(point(bad[i]), 1), ERR_CONFIG);
	assert_int_equal(with_failpoint("no_such_place=kill", 1), ERR_CONFIG);
	assert_int_equal(with_failpoint(failpoint_name(0), 1), ERR_CONFIG);
	assert_int_equal(with_failpoint("=kill", 1), ERR_CONFIG);
	assert_non_null(failpoint_name(FP_COUNT - 1));
	assert_null(failpoint_name(FP_COUNT));
	assert_null(failpoint_name(-1));
}

#define CONF_TEST(f) cmocka_unit_test_setup_teardown(f, conf_setup, conf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_err_first_wins),
	    cmocka_unit_test(test_err_lengths),
	    cmocka_unit_test(test_err_names),
	    cmocka_unit_test(test_arena),
	    cmocka_unit_test(test_bugs_abort),
	    cmocka_unit_test(test_buf),
	    cmocka_unit_test(test_buf_growth),
	    cmocka_unit_test(test_num_int),
	    cmocka_unit_test(test_num_date),
	    cmocka_unit_test(test_clock),
	    cmocka_unit_test(test_json_text),
	    cmocka_unit_test(test_log),
	    CONF_TEST(test_conf_defaults),
	    CONF_TEST(test_conf_file_syntax),
	    CONF_TEST(test_conf_precedence),
	    CONF_TEST(test_conf_aliases),
	    CONF_TEST(test_conf_conflict_hides_secrets),
	    CONF_TEST(test_conf_secret_files),
	    CONF_TEST(test_conf_secret_file_size),
	    CONF_TEST(test_conf_types),
	    CONF_TEST(test_conf_programs),
	    CONF_TEST(test_conf_unknown_names_are_told),
	    CONF_TEST(test_conf_masks),
	    CONF_TEST(test_conf_sample_passwords),
	    CONF_TEST(test_conf_documents),
	    cmocka_unit_test(test_failpoint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
