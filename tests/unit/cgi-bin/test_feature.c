/* test_feature.c: what is switched off is refused, and nothing else is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cgi-bin/feature.h"

static char env_file[] = "/tmp/takings-feature-XXXXXX"; /* empty */

static struct conf *load(const char *name, const char *value)
{
	struct conf *conf = NULL;
	struct errbuf eb = {0};
	(void)clearenv();
	(void)setenv(name, value, 1);
	assert_int_equal(conf_load(&conf, CONF_WEB, env_file, &eb), ERR_OK);
	return conf;
}

static int setup(void **state)
{
	(void)state;
	int fd = mkstemp(env_file);
	return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(env_file);
}

static const struct {
	const char *name, *setting;
} known[] = {
	{"forecasting", "ENABLE_FORECASTING"},     {"anomaly_detection", "ENABLE_ANOMALY_DETECTION"},
	{"realtime", "ENABLE_REALTIME_ANALYTICS"}, {"cohorts", "ENABLE_COHORT_ANALYSIS"},
	{"funnels", "ENABLE_FUNNEL_ANALYSIS"},     {"journeys", "ENABLE_USER_JOURNEY"},
};

enum { KNOWN = sizeof known / sizeof *known };

static const struct feature *find(const char *name)
{
	for (int i = 0; feature_get(i); i++)
		if (strcmp(feature_get(i)->name, name) == 0)
			return feature_get(i);
	return NULL;
}

static void each_is_on_unless_its_own_setting_says_0(void **state)
{
	(void)state;
	for (int off = 0; off < KNOWN; off++) {
		struct conf *conf = load(known[off].setting, "0");
		for (int i = 0; i < KNOWN; i++) {
			struct errbuf eb = {0};
			const struct feature *f = find(known[i].name);
			assert_non_null(f);
			assert_int_equal(feature_check(f->setting, conf, &eb),
			                 i == off ? ERR_NOT_FOUND : ERR_OK);
			if (i == off)
				assert_non_null(strstr(eb.text, known[i].setting));
		}
		conf_free(conf);
	}
}

static void what_has_no_setting_is_always_on(void **state)
{
	(void)state;
	struct errbuf eb = {0};
	struct conf *conf = load("SERVER_HOST", "0");
	assert_int_equal(feature_check(0, conf, &eb), ERR_OK);
	conf_free(conf);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_on_unless_its_own_setting_says_0),
		cmocka_unit_test(what_has_no_setting_is_always_on),
	};
	log_init("unit", LOG_ERROR);
	return cmocka_run_group_tests(tests, setup, teardown);
}
