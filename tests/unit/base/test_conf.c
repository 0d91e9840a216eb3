/* test_conf.c: settings, from where they come and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/log.h"
#include "standard_error.h"

static char dir[64];
static struct errbuf eb;

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

/* Opening a pipe waits for whoever writes into it. */
static void test_conf_files_are_files(void **state)
{
	(void)state;
	char file[256], path[128];
	(void)snprintf(path, sizeof path, "%s/secret", dir);
	(void)snprintf(file, sizeof file, "DB_PASSWORD_FILE=%s\n", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(file, "DB_PASSWORD_FILE", "not a regular file");
	assert_int_equal(conf_load(&conf, CONF_BATCH, path, &eb), ERR_CONFIG);
	(void)snprintf(file, sizeof file, "DB_PASSWORD_FILE=%s\n", dir);
	assert_refused(file, "DB_PASSWORD_FILE", "not a regular file");
	assert_int_equal(conf_load(&conf, CONF_BATCH, dir, &eb), ERR_CONFIG);
	assert_non_null(strstr(eb.text, "not a regular file"));
	char was[512];
	assert_non_null(getcwd(was, sizeof was));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir(".env", 0700), 0);
	assert_int_equal(conf_load(&conf, CONF_BATCH, NULL, &eb), ERR_CONFIG);
	assert_int_equal(rmdir(".env"), 0);
	assert_int_equal(chdir(was), 0);
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
		{"postgresql://u:p@%2Frun%2Fpg:1,h2:2/d", "postgresql://u:***@%2Frun%2Fpg:1,h2:2/d"},
		{"mariadb://h", "mariadb://h"},
		/* what is not understood to its end is not shown at all */
		{"host=h port=1 password = hunter2", "***"},
		{"host=h dbname=d", "***"},
		{"postgresql://u@h/x?pass%77ord=hunter3", "***"},
		{"postgresql://u@h/x?sslpassword=hunter3", "***"},
		{"postgresql://u@h/x?password=a&hunter3", "***"},
		{"postgresql://u@h/x?options=-cx=hunter3", "***"},
		{"postgresql:/u:pw@h", "***"},
		{"u:pw@h/d", "***"},
		{"http://u:pw@h/d", "***"},
		{"postgresql://u:p/w@h/d", "***"},
		{"postgresql://u:1/w@h/d", "***"},
		{"postgresql://u:p?w@h/d", "***"},
		{"postgresql://u p:w@h/d", "***"},
		{"postgresql://u:w@h/d password=x", "***"},
		{"postgresql://u:w@h/d#x", "***"},
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

#define CONF_TEST(f) cmocka_unit_test_setup_teardown(f, conf_setup, conf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONF_TEST(test_conf_defaults),
		CONF_TEST(test_conf_file_syntax),
		CONF_TEST(test_conf_precedence),
		CONF_TEST(test_conf_aliases),
		CONF_TEST(test_conf_conflict_hides_secrets),
		CONF_TEST(test_conf_secret_files),
		CONF_TEST(test_conf_secret_file_size),
		CONF_TEST(test_conf_files_are_files),
		CONF_TEST(test_conf_types),
		CONF_TEST(test_conf_programs),
		CONF_TEST(test_conf_unknown_names_are_told),
		CONF_TEST(test_conf_masks),
		CONF_TEST(test_conf_sample_passwords),
		CONF_TEST(test_conf_documents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
