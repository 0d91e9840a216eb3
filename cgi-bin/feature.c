/* feature.c: which parts there are, and whether one may be asked. */
#include "cgi-bin/feature.h"

#include <assert.h>

static_assert((int)CONF_SERVER_HOST == 0,
              "0 stands for no setting, so the first one must be no feature's");

static const struct feature features[] = {
	{"forecasting", CONF_ENABLE_FORECASTING, false},
	{"anomaly_detection", CONF_ENABLE_ANOMALY_DETECTION, false},
	{"realtime", CONF_ENABLE_REALTIME_ANALYTICS, false},
	{"cohorts", CONF_ENABLE_COHORT_ANALYSIS, false},
	{"funnels", CONF_ENABLE_FUNNEL_ANALYSIS, false},
	{"journeys", CONF_ENABLE_USER_JOURNEY, false},
	{"stream", 0, true},
	{"redis", 0, true},
	{"kafka", 0, true},
	{"s3", 0, true},
};

enum { FEATURES = sizeof features / sizeof *features };

const struct feature *feature_get(int i)
{
	return i >= 0 && i < FEATURES ? &features[i] : NULL;
}

enum err feature_check(int setting, const struct conf *conf, struct errbuf *eb)
{
	if (setting == 0 || conf_bool(conf, (enum conf_id)setting))
		return ERR_OK;
	return err_set(eb, ERR_NOT_FOUND, "this is switched off here (%s)",
	               conf_name((enum conf_id)setting));
}
