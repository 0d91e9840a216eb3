/* demo_visit.c: who comes, from where, and what they do. */
#include "batch/demo_visit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "batch/demo_calendar.h"
#include "batch/demo_live.h"
#include "batch/demo_random.h"

enum {
	S = 1000000,    /* a second */
	STREAM = 7,     /* of the seed, beside those of orders and events */
	REGULARS = 500, /* visitors who are not known and come again within some weeks */
	REGULAR_DAYS = 20,
	IS_PICKED_UP = 1200, /* of orders of known guests, in 10,000 */
	IS_REGULAR = 4200,
	IS_KNOWN = 2500, /* to be a guest with a name, but they need not say so */
	SAYS_SO = 5000,
	BOUNCES = 3600,
	HAS_NO_SESSION = 800,
	IS_OFFLINE = 150, /* a telephone without a network */
	HAS_WRONG_CLOCK = 120,
	IS_SENT_TWICE = 150,
	IS_BROKEN = 12,
	IS_OLD = 6,
	TEXT = 640,
	OLD_DAYS = 130,
};
#define DAY_US (INT64_C(86400) * 1000000)

/* ---- who comes, and from where ----------------------------------------------------- */

static const struct {
	int share;
	const char *agent;
} agents[] = {
	{24, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/130.0.0.0 Safari/537.36"},
	{8, "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"},
	{9, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.0 Safari/605.1.15"},
	{6, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0"},
	{26, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
         "Gecko) Version/18.0 Mobile/15E148 Safari/604.1"},
	{21, "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/130.0.0.0 Mobile Safari/537.36"},
	{6, "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.6 Mobile/15E148 Safari/604.1"},
};
static const char CRAWLER[] =
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

static const struct {
	int share;
	const char *name;
} regions[] = {{34, "Centre"}, {22, "North"}, {18, "South"}, {15, "East"}, {11, "West"}};

/* The campaigns follow each other by the month. */
static const struct {
	int share;
	const char *referrer; /* "": none */
	const char *utm;      /* utm_source; NULL: none, and no campaign */
} sources[] = {
	{36, "", NULL},
	{27, "https://www.google.com/", NULL},
	{6, "https://www.bing.com/", NULL},
	{8, "https://www.instagram.com/", NULL},
	{5, "https://www.tripadvisor.com/", NULL},
	{7, "", "newsletter"},
	{6, "https://www.instagram.com/", "instagram"},
	{5, "https://www.google.com/", "google"},
};
static const char *const campaigns[] = {
	"winter-menu", "valentine",   "lent",          "asparagus", "mothers-day", "summer-terrace",
	"summer-wine", "school-back", "harvest-weeks", "pumpkin",   "goose",       "christmas"};

struct script {
	const struct demo_visit_rules *rules;
	struct demo_random r;
	int64_t number;
	struct demo_visit *out;
	const char *types[DEMO_TOUCHES];
	const char *properties[DEMO_TOUCHES];      /* members of the object */
	bool named[DEMO_TOUCHES];                  /* with user_id */
	char anonymous[40], session[40], user[40]; /* "": none */
	const char *region;
	int source;
	bool says_so;
	int64_t us; /* since it began */
};

static int64_t pick(struct demo_random *r, const int *shares, size_t stride, int64_t n)
{
	int64_t sum = 0, i = 0;
	for (int64_t k = 0; k < n; k++)
		sum += *(const int *)((const char *)shares + (size_t)k * stride);
	for (int64_t left = demo_random_below(r, sum); i < n; i++) {
		left -= *(const int *)((const char *)shares + (size_t)i * stride);
		if (left < 0)
			break;
	}
	return i;
}
#define PICK(r, table)                                                                             \
	pick((r), &(table)[0].share, sizeof *(table), (int64_t)(sizeof(table) / sizeof *(table)))

/* A visitor has the same browser and lives in the same place whenever it comes. */
static void be(struct script *s, const char *kind, int64_t who)
{
	struct demo_random own;
	demo_random_init(&own, s->rules->seed + STREAM, *kind == 'r' ? -who : who);
	(void)snprintf(s->anonymous, sizeof s->anonymous, "demo-%s-%" PRId64, kind, who);
	s->out->agent = agents[PICK(&own, agents)].agent;
	s->region = regions[PICK(&own, regions)].name;
}

static void begin(struct script *s, const struct demo_visit_rules *rules, int64_t number,
                  int64_t customer_id, struct demo_visit *out)
{
	*s = (struct script){.rules = rules, .number = number, .out = out};
	out->n = 0;
	demo_random_init(&s->r, rules->seed + STREAM, number);
	bool regular = demo_random_chance(&s->r, IS_REGULAR);
	bool known = demo_random_chance(&s->r, IS_KNOWN);
	int64_t nth = demo_random_below(&s->r, REGULARS);
	s->says_so = demo_random_chance(&s->r, SAYS_SO);
	s->source = (int)PICK(&s->r, sources);
	if (!customer_id && known)
		customer_id = 2 * (rules->date - demo_date_make(2020, 1, 1)) + nth;
	if (customer_id) {
		/* Some have two devices, and are one person on both. */
		bool second = customer_id % 4 == 0 && demo_random_chance(&s->r, 4000);
		be(s, "guest", customer_id * 2 + second);
		(void)snprintf(s->user, sizeof s->user, "customer-%" PRId64, customer_id);
	} else if (regular) {
		be(s, "regular", rules->date / REGULAR_DAYS * REGULARS + nth);
	} else {
		be(s, "visitor", number);
	}
	if (!demo_random_chance(&s->r, HAS_NO_SESSION))
		(void)snprintf(s->session, sizeof s->session, "demo-%016" PRIx64,
		               demo_random_hash(rules->seed + STREAM, ~number));
}

/* ---- what they do ---------------------------------------------------------------------- */

/* `properties`: members, behind the page. */
static void act(struct script *s, const char *type, const char *page, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
static void act(struct script *s, const char *type, const char *page, const char *fmt, ...)
{
	char more[TEXT / 2];
	va_list ap;
	if (s->out->n == DEMO_TOUCHES - 1)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(more, sizeof more, fmt, ap);
	va_end(ap);
	int i = s->out->n++;
	s->types[i] = type;
	s->named[i] = s->says_so && s->user[0] != '\0';
	s->properties[i] =
		arena_printf(s->rules->arena, "\"page\":\"%s\",\"region\":\"%s\"%s", page, s->region, more);
	s->out->touches[i] = (struct demo_touch){.at_us = s->us};
	s->us += demo_random_peak(&s->r, 2 * S, s->rules->live ? 12 * S : 70 * S);
}

static const struct demo_dish *look_for(struct script *s)
{
	return demo_menu_pick(s->rules->menu, s->rules->part, &s->r);
}

static void land(struct script *s)
{
	int year, month, day;
	demo_date_split(s->rules->date, &year, &month, &day);
	const char *referrer = sources[s->source].referrer, *utm = sources[s->source].utm;
	const char *campaign = campaigns[month - 1];
	char page[TEXT / 4], from[TEXT / 4] = "";
	(void)snprintf(page, sizeof page, "/");
	if (utm)
		(void)snprintf(page, sizeof page, "/offers/%s?utm_source=%s&utm_campaign=%s", campaign, utm,
		               campaign);
	else if (demo_random_chance(&s->r, 4500))
		(void)snprintf(page, sizeof page, "/menu/%s", look_for(s)->category);
	if (utm)
		(void)snprintf(from, sizeof from, ",\"utm_source\":\"%s\",\"utm_campaign\":\"%s\"", utm,
		               campaign);
	if (*referrer)
		act(s, "page_view", page, ",\"referrer\":\"%s\"%s", referrer, from);
	else
		act(s, "page_view", page, "%s", from);
}

/* An event about a dish; quantity 0: it is only looked at. */
static void of_dish(struct script *s, const char *type, int64_t item_id, const char *category,
                    int64_t price_minor, int64_t quantity)
{
	char page[64], price[LIVE_MONEY_TEXT], pieces[48] = "";
	(void)snprintf(page, sizeof page, "/menu/%s/%" PRId64, category, item_id);
	if (quantity)
		(void)snprintf(pieces, sizeof pieces, ",\"quantity\":%" PRId64, quantity);
	act(s, type, page,
	    ",\"product_id\":\"%" PRId64
	    "\",\"category\":\"%s\",\"price\":\"%s\",\"currency\":\"%s\"%s",
	    item_id, category, live_money_text(price, price_minor, s->rules->decimals),
	    s->rules->currency, pieces);
}

static void of_menu(struct script *s, const char *type, const struct demo_dish *d, int64_t quantity)
{
	of_dish(s, type, d->item_id, d->category, d->price_minor, quantity);
}

static void search(struct script *s)
{
	static const char *const words[] = {"vegetarian",  "burger", "table", "opening hours",
	                                    "gluten free", "wine",   "kids",  "parking"};
	static const char *const filters[] = {"vegetarian", "vegan", "no-nuts", "under-15"};
	if (demo_random_chance(&s->r, 900))
		act(s, "search", "/search", ",\"query\":\"%s\"",
		    words[demo_random_below(&s->r, (int64_t)(sizeof words / sizeof *words))]);
	if (demo_random_chance(&s->r, 1100))
		act(s, "filter", "/menu", ",\"filter\":\"%s\"",
		    filters[demo_random_below(&s->r, (int64_t)(sizeof filters / sizeof *filters))]);
}

/* A known guest who has not said so logs in. */
static void log_in(struct script *s)
{
	if (s->user[0] == '\0' || s->says_so)
		return;
	act(s, "page_view", "/login", "%s", "");
	s->says_so = true;
}

static void look_around(struct script *s)
{
	int64_t dishes = demo_random_peak(&s->r, 0, 5), in_cart = 0;
	for (int64_t i = 0; i < dishes; i++) {
		const struct demo_dish *d = look_for(s);
		if (demo_random_chance(&s->r, 3500)) {
			char page[64];
			(void)snprintf(page, sizeof page, "/menu/%s", d->category);
			act(s, "page_view", page, "%s", "");
		}
		of_menu(s, "product_view", d, 0);
		if (!demo_random_chance(&s->r, 2200))
			continue;
		of_menu(s, "add_to_cart", d, 1 + demo_random_chance(&s->r, 1500));
		in_cart++;
		if (demo_random_chance(&s->r, 1500)) {
			of_menu(s, "remove_from_cart", d, 1);
			in_cart--;
		}
	}
	if (in_cart > 0 && demo_random_chance(&s->r, 4000)) {
		if (demo_random_chance(&s->r, 5000))
			log_in(s);
		act(s, "checkout_start", "/checkout", "%s", "");
	} else if (demo_random_chance(&s->r, 1500)) {
		static const char *const pages[] = {"/contact", "/events", "/about", "/reservations"};
		act(s, "page_view", pages[demo_random_below(&s->r, 4)], "%s", "");
	}
}

static const char *category_of(const struct script *s, int64_t item_id)
{
	for (int i = 0; i < s->rules->menu->n; i++)
		if (s->rules->menu->dishes[i].item_id == item_id)
			return s->rules->menu->dishes[i].category;
	return "mains";
}

static void fill_cart(struct script *s, const struct demo_order *o, const struct demo_line *lines)
{
	for (int i = 0; i < o->lines_n; i++) {
		const struct demo_line *l = &lines[i];
		const char *category = category_of(s, l->item_id);
		if (demo_random_chance(&s->r, 8000))
			of_dish(s, "product_view", l->item_id, category, l->price_minor, 0);
		of_dish(s, "add_to_cart", l->item_id, category, l->price_minor, l->quantity);
	}
	if (demo_random_chance(&s->r, 2000)) {
		const struct demo_dish *d = look_for(s);
		of_menu(s, "add_to_cart", d, 1);
		of_menu(s, "remove_from_cart", d, 1);
	}
}

/* ---- how it is sent ----------------------------------------------------------------------- */

static const char *id_text(const struct script *s, int nth, char out[40])
{
	int64_t stream = s->number * (DEMO_TOUCHES * 2) + nth;
	uint64_t a = demo_random_hash(s->rules->seed + STREAM, stream);
	uint64_t b = demo_random_hash(~s->rules->seed, stream);
	(void)snprintf(out, 40, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(a >> 32),
	               (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
	               (unsigned)(0x8000 | (b >> 48 & 0x3fff)), b & UINT64_C(0xffffffffffff));
	return out;
}

static const char *member(const struct script *s, const char *name, const char *value)
{
	return *value ? arena_printf(s->rules->arena, "\"%s\":\"%s\",", name, value) : "";
}

/* `clock_us`: what the sender's clock is behind; 0: it is right, and nothing is said about it. */
static void put_text(struct script *s, int i, const char *user, int64_t clock_us)
{
	struct demo_touch *t = &s->out->touches[i];
	char id[40], at[CLOCK_TEXT], sent[CLOCK_TEXT] = "";
	clock_format_utc(t->at_us - clock_us, at);
	if (clock_us)
		clock_format_utc(t->at_us + t->after_us - clock_us, sent);
	t->text =
		arena_printf(s->rules->arena,
	                 "{\"event_type\":\"%s\",\"event_id\":\"%s\",%s%s%s%s\"timestamp\":\"%s\","
	                 "\"properties\":{%s}}",
	                 s->types[i], id_text(s, i, id), member(s, "user_id", user),
	                 member(s, "anonymous_id", s->anonymous), member(s, "session_id", s->session),
	                 member(s, "sent_at", sent), at, s->properties[i]);
}

/* What goes wrong on the way now and then. Nothing does to what is bought. */
static void disturb(struct script *s)
{
	struct demo_visit *v = s->out;
	struct demo_touch *first = &v->touches[0];
	if (demo_random_chance(&s->r, IS_SENT_TWICE)) {
		v->touches[v->n] = v->touches[v->n - 1];
		v->touches[v->n].after_us += 2 * (int64_t)S;
		v->touches[v->n++].odd = true;
	} else if (demo_random_chance(&s->r, IS_BROKEN)) {
		put_text(s, 0, "undefined", 0);
		first->odd = true;
	} else if (demo_random_chance(&s->r, IS_OLD)) {
		first->at_us -= OLD_DAYS * DAY_US;
		put_text(s, 0, "", 0);
		first->at_us += OLD_DAYS * DAY_US;
		first->odd = true;
	}
}

static void send(struct script *s, int64_t began_us)
{
	struct demo_visit *v = s->out;
	bool offline = demo_random_chance(&s->r, IS_OFFLINE) && strstr(v->agent, "Mobile");
	bool wrong = demo_random_chance(&s->r, HAS_WRONG_CLOCK);
	int64_t clock_us = demo_random_between(&s->r, 3 * 60, 40 * 60) * S;
	int64_t later_us = demo_random_between(&s->r, 3600, 20 * 3600) * S;
	bool tidy = s->rules->live;
	for (int i = 0; i < v->n; i++) {
		v->touches[i].at_us += began_us;
		v->touches[i].after_us = tidy ? 0 : demo_random_between(&s->r, 60, 900) * 1000;
		if (offline && !tidy)
			v->touches[i].after_us += later_us;
		put_text(s, i, s->named[i] ? s->user : "", wrong && !tidy ? clock_us : 0);
	}
	if (!tidy)
		disturb(s);
}

/* ---- visits ---------------------------------------------------------------------------------- */

bool demo_visit_is_online(int64_t seed, const struct demo_order *o)
{
	return o->fee_minor > 0 ||
	       (o->customer_id && demo_random_hash(seed + STREAM, o->id) % 10000 < IS_PICKED_UP);
}

void demo_visit_browse(const struct demo_visit_rules *rules, int64_t number, int64_t at_us,
                       struct demo_visit *out)
{
	struct script s;
	begin(&s, rules, number, 0, out);
	land(&s);
	if (!demo_random_chance(&s.r, BOUNCES)) {
		search(&s);
		look_around(&s);
		if (demo_random_chance(&s.r, 1500))
			act(&s, "session_end", "/", "%s", "");
	}
	send(&s, at_us);
}

void demo_visit_buy(const struct demo_visit_rules *rules, int64_t number,
                    const struct demo_order *o, const struct demo_line *lines, int64_t bought_us,
                    struct demo_visit *out)
{
	struct script s;
	struct demo_state state;
	char total[LIVE_MONEY_TEXT];
	demo_order_state(o, o->created_s + 1, &state);
	begin(&s, rules, number, o->customer_id, out);
	land(&s);
	search(&s);
	fill_cart(&s, o, lines);
	log_in(&s);
	act(&s, "checkout_start", "/checkout", "%s", "");
	int64_t until_us = s.us;
	act(&s, "purchase", "/checkout/done",
	    ",\"order_id\":\"%" PRId64 "\",\"price\":\"%s\",\"quantity\":1,\"currency\":\"%s\"", o->id,
	    live_money_text(total, state.total_minor, rules->decimals), rules->currency);
	send(&s, bought_us - until_us);
}

void demo_visit_crawl(const struct demo_visit_rules *rules, int64_t number, int64_t at_us,
                      struct demo_visit *out)
{
	struct script s;
	begin(&s, rules, number, 0, out);
	(void)snprintf(s.anonymous, sizeof s.anonymous, "demo-crawler");
	s.user[0] = s.session[0] = '\0';
	s.region = "Centre";
	out->agent = CRAWLER;
	int64_t n = demo_random_between(&s.r, 4, 14);
	for (int64_t i = 0; i < n; i++) {
		const struct demo_dish *d = look_for(&s);
		s.us = i * S;
		of_menu(&s, "product_view", d, 0);
	}
	send(&s, at_us);
}
