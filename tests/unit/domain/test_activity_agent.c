/* test_activity_agent.c: what the browsers, robots and tools of these years call themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "domain/activity_event.h"

#define W "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
#define M "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
#define X "Mozilla/5.0 (X11; Linux x86_64) "
#define A "Mozilla/5.0 (Linux; Android 10; K) "
#define I "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) "
#define P "Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) "
#define WK "AppleWebKit/537.36 (KHTML, like Gecko) "
#define WI "AppleWebKit/605.1.15 (KHTML, like Gecko) "
#define C "Chrome/124.0.0.0 "
#define S "Safari/537.36"
#define NAME ACTIVITY_BOT_NAME
#define HEADLESS ACTIVITY_BOT_HEADLESS

static const struct {
	const char *agent, *device, *browser;
	unsigned flags;
} rows[] = {
	/* people */
	{W WK C S, "desktop", "Chrome", 0},
	{M WK C S, "desktop", "Chrome", 0},
	{X WK C S, "desktop", "Chrome", 0},
	{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " WK C S, "desktop", "Chrome", 0},
	{A WK C "Mobile " S, "mobile", "Chrome", 0},
	{A WK C S, "tablet", "Chrome", 0},
	{I WI "CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1", "mobile", "Chrome", 0},
	{M WI "Version/17.4.1 Safari/605.1.15", "desktop", "Safari", 0},
	{I WI "Version/17.4.1 Mobile/15E148 Safari/604.1", "mobile", "Safari", 0},
	{P WI "Version/17.4 Mobile/15E148 Safari/604.1", "tablet", "Safari", 0},
	{"Mozilla/5.0 (iPod touch; CPU iPhone OS 12_5_7 like Mac OS X) " WI
     "Version/12.1.2 Mobile/15E148 Safari/604.1",
     "mobile", "Safari", 0},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0", "desktop",
     "Firefox", 0},
	{"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "desktop",
     "Firefox", 0},
	{"Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0", "mobile", "Firefox",
     0},
	{"Mozilla/5.0 (Android 14; Tablet; rv:125.0) Gecko/125.0 Firefox/125.0", "tablet", "Firefox",
     0},
	{I WI "FxiOS/125.0 Mobile/15E148 Safari/605.1.15", "mobile", "Firefox", 0},
	{W WK C S " Edg/124.0.0.0", "desktop", "Edge", 0},
	{A WK C "Mobile " S " EdgA/124.0.0.0", "mobile", "Edge", 0},
	{I WI "Version/17.0 EdgiOS/124.0.2478.50 Mobile/15E148 Safari/604.1", "mobile", "Edge", 0},
	{W WK "Chrome/64.0.3282.140 " S " Edge/18.17763", "desktop", "Edge", 0},
	{W WK C S " OPR/109.0.0.0", "desktop", "Opera", 0},
	{A WK C "Mobile " S " OPR/81.0.0.0", "mobile", "Opera", 0},
	{"Opera/9.80 (Android; Opera Mini/36.2/119.132; U; en) Presto/2.12.423 Version/12.16", "mobile",
     "Opera", 0},
	{"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S918B) " WK "SamsungBrowser/24.0 "
     "Chrome/117.0.0.0 Mobile " S,
     "mobile", "Samsung Internet", 0},
	{"Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-X700) " WK "SamsungBrowser/24.0 "
     "Chrome/117.0.0.0 " S,
     "tablet", "Samsung Internet", 0},
	{W WK C S " Vivaldi/6.7", "desktop", "other", 0},
	{W WK C "YaBrowser/24.4.0.0 " S, "desktop", "other", 0},
	{A WK "Version/4.0 Chrome/124.0.0.0 Mobile " S " [FB_IAB/FB4A;FBAV/460.0.0.0;]", "mobile",
     "other", 0},
	{"Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A; wv) " WK "Version/4.0 " C "Mobile " S,
     "mobile", "other", 0},
	{I WI "Mobile/15E148 Instagram 328.0.0.0", "mobile", "other", 0},
	{M WK "Slack/4.37 " C "Electron/29.3.0 " S, "desktop", "other", 0},
	{"Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", "desktop", "other", 0},
	{"Mozilla/5.0 (Linux; U; Android 4.0.3; de-de) AppleWebKit/534.30 (KHTML, like Gecko) "
     "Version/4.0 Mobile Safari/534.30",
     "mobile", "other", 0},
	{"Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 21) " WK C "Mobile " S, "mobile", "Chrome", 0},
	{"Mozilla/5.0 (Linux; Android 11; KFTRWI) " WK "Silk/112.5.1 like Chrome/112.0.0.0 " S,
     "tablet", "other", 0},
	{"Mozilla/5.0 (Linux; Android 9; AFTSSS) " WK "Silk/112.5.1 like Chrome/112.0.0.0 " S, "other",
     "other", 0},
	{"Mozilla/5.0 (Web0S; Linux/SmartTV) " WK "Chrome/94.0.4606.128 " S, "other", "Chrome", 0},
	{"Mozilla/5.0 (PlayStation; PlayStation 5/8.00) " WI "Version/17.0 Safari/605.1.15", "other",
     "Safari", 0},
	{"okhttp/4.12.0", "other", "other", 0}, /* the app of a telephone */
	{"", "other", "other", 0},
	/* robots */
	{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "other", "other",
     NAME},
	{A WK C "Mobile " S " (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "mobile",
     "Chrome", NAME},
	{"AdsBot-Google (+http://www.google.com/adsbot.html)", "other", "other", NAME},
	{"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "other", "other",
     NAME},
	{"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "other", "other", NAME},
	{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; "
     "+https://openai.com/gptbot)",
     "other", "other", NAME},
	{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; "
     "+claudebot@anthropic.com)",
     "other", "other", NAME},
	{"CCBot/2.0 (https://commoncrawl.org/faq/)", "other", "other", NAME},
	{"Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", "other", "other", NAME},
	{"Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "other",
     "other", NAME},
	{"DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)", "other", "other", NAME},
	{"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "other", "other",
     NAME},
	{"Twitterbot/1.0", "other", "other", NAME},
	{"WhatsApp/2.23.20.0", "other", "other", NAME},
	{"Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", "other",
     "other", NAME},
	{M WI "Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
     "desktop", "Safari", NAME},
	{"Mozilla/5.0 (compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)", "other",
     "other", NAME},
	{"TelegramBot (like TwitterBot)", "other", "other", NAME},
	{X WK C S " Chrome-Lighthouse", "desktop", "Chrome", NAME},
	{"Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "other", "other",
     NAME},
	{"SomeNewBot", "other", "other", NAME},
	/* libraries */
	{"curl/8.5.0", "other", "other", NAME},
	{"Wget/1.21.3", "other", "other", NAME},
	{"python-requests/2.31.0", "other", "other", NAME},
	{"Python-urllib/3.11", "other", "other", NAME},
	{"python-httpx/0.27.0", "other", "other", NAME},
	{"Go-http-client/2.0", "other", "other", NAME},
	{"Java/17.0.10", "other", "other", NAME},
	{"axios/1.6.8", "other", "other", NAME},
	{"node", "other", "other", NAME},
	{"GuzzleHttp/7", "other", "other", NAME},
	{"Scrapy/2.11.1 (+https://scrapy.org)", "other", "other", NAME},
	{"PostmanRuntime/7.37.3", "other", "other", NAME},
	/* browsers without a window */
	{X WK "HeadlessChrome/124.0.6367.60 " S, "desktop", "Chrome", HEADLESS},
	{"Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 "
     "Safari/538.1",
     "desktop", "Safari", HEADLESS},
	{X WK C S " Playwright/1.43", "desktop", "Chrome", HEADLESS},
	{"Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/24.0.0", "desktop", "other",
     HEADLESS},
	{W WK C "Cypress/13.8.1 Electron/27.3.10 " S, "desktop", "other", HEADLESS},
};

static void test_agents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct activity_agent got = activity_agent_read(rows[i].agent);
		if (strcmp(got.device, rows[i].device) != 0 || strcmp(got.browser, rows[i].browser) != 0 ||
		    got.flags != rows[i].flags)
			fail_msg("%s: %s, %s, %x; not %s, %s, %x", rows[i].agent, got.device, got.browser,
			         got.flags, rows[i].device, rows[i].browser, rows[i].flags);
	}
}

/* What is said at length counts as far as it is looked at. */
static void test_long(void **state)
{
	(void)state;
	char agent[10000];
	memset(agent, 'x', sizeof agent - 1);
	agent[sizeof agent - 1] = '\0';
	assert_string_equal(activity_agent_read(agent).device, "other");
	memcpy(agent + 500, "curl/8", 6);
	assert_int_equal(activity_agent_read(agent).flags, ACTIVITY_BOT_NAME);
	memcpy(agent + 500, "xxxxxx", 6);
	memcpy(agent + 600, "curl/8", 6);
	assert_int_equal(activity_agent_read(agent).flags, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
