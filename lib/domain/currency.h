/* currency.h: what may stand for a currency. */
#ifndef TAKINGS_DOMAIN_CURRENCY_H
#define TAKINGS_DOMAIN_CURRENCY_H

#include <stdbool.h>

/* Three capital letters, the form of ISO 4217; whether the code is given out is
 * not looked at. */
bool currency_is_code(const char *text);

#endif
