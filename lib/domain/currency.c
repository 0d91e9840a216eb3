/* currency.c: see currency.h. */
#include "domain/currency.h"

#include <string.h>

bool currency_is_code(const char *text)
{
	return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}
