/* activity_agent.c: what a browser's name says. It is asked for once a request. */
#include <string.h>

#include "domain/activity_event.h"

enum { AGENT_BYTES = 512 }; /* what stands further behind says nothing */

/* All words are small letters and are looked for anywhere in the name. Of a table with two columns
 * the first row that is there counts. */
struct mark {
	const char *word, *means;
};

/* Who says that it is a robot, previews for messengers, tools that watch or test, and libraries.
 * "bot" counts at the end of a word only: Cubot makes telephones. */
static const char *const bots[] = {
	/* what most say */
	"bot/",
	"bot;",
	"bot)",
	"bot-",
	"bot@",
	"+http",
	"crawler",
	"spider",
	"crawl-",
	"scraper",
	"robot",
	/* search */
	"googlebot",
	"google-inspectiontool",
	"googleother",
	"google-extended",
	"google-read-aloud",
	"apis-google",
	"mediapartners-google",
	"feedfetcher",
	"storebot",
	"bingpreview",
	"slurp",
	"duckduckbot",
	"yandex.com/bots",
	"sogou",
	"petalbot",
	"ia_archiver",
	"archive.org",
	"heritrix",
	"nutch",
	/* models of language */
	"gptbot",
	"chatgpt-user",
	"claude-web",
	"claude-user",
	"anthropic-ai",
	"perplexity",
	"cohere-ai",
	"diffbot",
	"meta-external",
	/* who looks at a shop for somebody else */
	"ahrefs",
	"semrush",
	"rogerbot",
	"screaming frog",
	"seokicks",
	"sistrix",
	"serpstat",
	"siteaudit",
	/* previews */
	"facebookexternalhit",
	"facebookcatalog",
	"facebot",
	"whatsapp/",
	"slackbot",
	"slack-imgproxy",
	"skypeuripreview",
	"embedly",
	/* who watches */
	"uptimerobot",
	"pingdom",
	"statuscake",
	"gtmetrix",
	"site24x7",
	"datadog",
	"newrelicpinger",
	"chrome-lighthouse",
	"pagespeed",
	/* libraries and tools */
	"curl/",
	"wget/",
	"libwww",
	"lwp::",
	"python-",
	"python/",
	"aiohttp",
	"httpx",
	"urllib",
	"java/",
	"apache-httpclient",
	"go-http-client",
	"node-fetch",
	"axios/",
	"undici",
	"got (",
	"guzzle",
	"php/",
	"ruby",
	"faraday",
	"postmanruntime",
	"insomnia/",
	"httpie",
	"scrapy",
	"k6/",
	"locust",
	"apachebench",
	"jmeter",
	"zgrab",
	"masscan",
	"nmap",
	"nikto",
	"sqlmap",
};

static const char *const headless[] = {
	"headless", "phantomjs", "slimerjs", "puppeteer", "playwright", "selenium",   "webdriver",
	"cypress",  "jsdom",     "htmlunit", "splash/",   "prerender",  "rendertron",
};

static const struct mark devices[] = {
	{"smarttv", "other"},     {"smart-tv", "other"},       {"appletv", "other"},
	{"apple tv", "other"},    {"google tv", "other"},      {"googletv", "other"},
	{"hbbtv", "other"},       {"crkey", "other"},          {"web0s", "other"},
	{"roku", "other"},        {"bravia", "other"},         {"; aft", "other"},
	{"playstation", "other"}, {"xbox", "other"},           {"nintendo", "other"},
	{"oculus", "other"},      {"ipad", "tablet"},          {"tablet", "tablet"},
	{"kindle", "tablet"},     {"silk/", "tablet"},         {"iphone", "mobile"},
	{"ipod", "mobile"},       {"windows phone", "mobile"}, {"mobi", "mobile"},
	{"opera mini", "mobile"}, {"blackberry", "mobile"},    {"kaios", "mobile"},
	{"android", "tablet"}, /* a telephone says "mobile", too */
	{"windows", "desktop"},   {"macintosh", "desktop"},    {"cros", "desktop"},
	{"x11", "desktop"},       {"linux", "desktop"},
};

/* Most say the names of others, too: Edge is Chrome is Safari. */
static const struct mark browsers[] = {
	{"samsungbrowser/", "Samsung Internet"},
	{"edg/", "Edge"},
	{"edga/", "Edge"},
	{"edgios/", "Edge"},
	{"edge/", "Edge"},
	{"opr/", "Opera"},
	{"opera", "Opera"},
	{"opios/", "Opera"},
	{"opt/", "Opera"},
	{"opx/", "Opera"},
	{"yabrowser/", "other"},
	{"vivaldi/", "other"},
	{"ucbrowser/", "other"},
	{"miuibrowser/", "other"},
	{"huaweibrowser/", "other"},
	{"duckduckgo/", "other"},
	{"ddg/", "other"},
	{"silk/", "other"},
	{"whale/", "other"},
	{"qqbrowser/", "other"},
	{"electron/", "other"},
	{"fban/", "other"},
	{"fbav/", "other"},
	{"instagram ", "other"},
	{"; wv)", "other"},
	{"gsa/", "other"},
	{"seamonkey/", "other"},
	{"fxios/", "Firefox"},
	{"focus/", "Firefox"},
	{"firefox/", "Firefox"},
	{"crios/", "Chrome"},
	{"chrome/", "Chrome"},
	{"chromium/", "Chrome"},
	{"android", "other"},
	{"blackberry", "other"},
	{"safari/", "Safari"},
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool has_one(const char *agent, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(agent, words[i]))
			return true;
	return false;
}

static const char *meaning(const char *agent, const struct mark *marks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(agent, marks[i].word))
			return marks[i].means;
	return "other";
}

struct activity_agent activity_agent_read(const char *user_agent)
{
	char agent[AGENT_BYTES];
	size_t n = 0;
	for (; user_agent[n] && n < sizeof agent - 1; n++)
		agent[n] = (char)(user_agent[n] >= 'A' && user_agent[n] <= 'Z' ? user_agent[n] + 32
		                                                               : user_agent[n]);
	agent[n] = '\0';
	struct activity_agent out = {.device = meaning(agent, devices, COUNT(devices)),
	                             .browser = meaning(agent, browsers, COUNT(browsers))};
	bool ends_in_bot = n >= 3 && strcmp(agent + n - 3, "bot") == 0;
	if (ends_in_bot || strcmp(agent, "node") == 0 || has_one(agent, bots, COUNT(bots)))
		out.flags |= ACTIVITY_BOT_NAME;
	if (has_one(agent, headless, COUNT(headless)))
		out.flags |= ACTIVITY_BOT_HEADLESS;
	return out;
}
