/* words.h: short lists written as one text, such as "disable,prefer,require". */
#ifndef TAKINGS_BASE_WORDS_H
#define TAKINGS_BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum words_case { WORDS_EXACT, WORDS_ANY_CASE };

/* The place of `word` in the list, from 0; -1 if it is not there. Spaces around
 * the words of the list do not belong to them. A word is found whole or not at
 * all; an empty one is in no list. */
int words_find(const char *list, char separator, const char *word, enum words_case match);

/* The next word of a list with commas, and *list behind it; false: none is left. Empty words, and
 * those of n bytes or more, are left out. */
bool words_next(const char **list, char *out, size_t n);

#endif
