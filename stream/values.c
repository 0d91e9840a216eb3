/* values.c: see values.h. */
#include "stream/values.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/num.h"
#include "domain/currency.h"
#include "base/decimal.h"

enum { SHOWN = 40 }; /* bytes of a wrong value in a message */

enum err value_text(const char *text, size_t max, const char *field, struct errbuf *eb)
{
	size_t n = strlen(text);
	if (n > max)
		return err_set_field(eb, ERR_INVALID, field, "%s is longer than %zu bytes", field, max);
	for (size_t i = 0; i < n;) {
		size_t k = (unsigned char)text[i] < 0x80 ? 1 : utf8_char_len(text + i, n - i);
		if (k == 0)
			return err_set_field(eb, ERR_INVALID, field, "%s is not UTF-8", field);
		i += k;
	}
	return ERR_OK;
}

enum err value_currency(struct arena *a, const struct rules *r, const char *text, const char *field,
                        const char **out, struct errbuf *eb)
{
	char code[4];
	size_t n = 0;
	for (const char *s = text ? text : ""; *s; s++) {
		if (*s == ' ')
			continue;
		if (n < sizeof code - 1)
			code[n] = (char)toupper((unsigned char)*s);
		n++;
	}
	if (n == 0) {
		*out = r->currency;
		return ERR_OK;
	}
	code[n < sizeof code ? n : sizeof code - 1] = '\0';
	if (n >= sizeof code || !currency_is_code(code))
		return err_set_field(eb, ERR_INVALID, field, "%s '%.*s' is no ISO 4217 code", field, SHOWN,
		                     text);
	*out = strcmp(code, r->currency) == 0 ? r->currency : arena_strdup(a, code);
	return ERR_OK;
}

static enum err parse(const char *text, const char *field, struct decimal *d, struct errbuf *eb)
{
	if (!decimal_parse(text, d))
		return err_set_field(eb, ERR_INVALID, field, "%s '%.*s' is no decimal number", field, SHOWN,
		                     text);
	if (!decimal_fits(d))
		return err_set_field(eb, ERR_INVALID, field, "%s '%.*s' is 10^14 or more", field, SHOWN,
		                     text);
	return ERR_OK;
}

enum err value_minor(const char *text, int exponent, const char *field, int64_t *out,
                     struct errbuf *eb)
{
	struct decimal d;
	enum err rc = parse(text, field, &d, eb);
	if (rc == ERR_OK)
		must(decimal_minor(&d, exponent, out));
	return rc;
}

enum err value_exact(struct arena *a, const char *text, const char *field, const char **out,
                     struct errbuf *eb)
{
	struct decimal d;
	enum err rc = parse(text, field, &d, eb);
	if (rc == ERR_OK)
		*out = decimal_text(a, &d);
	return rc;
}

enum err value_line(const char *quantity, const char *price, const char *field, struct errbuf *eb)
{
	/* a bound, so that floating point is good enough */
	if (!quantity || !price || fabs(strtod(quantity, NULL) * strtod(price, NULL)) < 1e14)
		return ERR_OK;
	return err_set_field(eb, ERR_INVALID, field, "%s times its quantity is 10^14 or more", field);
}

enum err value_int32(const char *text, const char *field, int32_t *out, struct errbuf *eb)
{
	int64_t v;
	if (!num_parse_int(text, INT32_MIN, INT32_MAX, &v))
		return err_set_field(eb, ERR_INVALID, field, "%s '%.*s' is no whole number of 32 bits",
		                     field, SHOWN, text);
	*out = (int32_t)v;
	return ERR_OK;
}
