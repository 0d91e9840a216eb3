/* sequence_words.h: the words a part is made of (sql/migrations/018_sequences.sql), for those who
 * read parts by themselves. */
#ifndef TAKINGS_BEHAVIOUR_SEQUENCE_WORDS_H
#define TAKINGS_BEHAVIOUR_SEQUENCE_WORDS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { SEQUENCE_WORD = 8 /* bytes of one; of a code 2 */ };

/* Of people: the number of the person above SEQUENCE_PERSON_SHIFT, then what is said, then how many
 * events. Of events the time of the day is above the same shift. */
enum {
	SEQUENCE_PERSON_SHIFT = 24,
	SEQUENCE_FIRST = 1 << 23,     /* it is the first day ever */
	SEQUENCE_NOT_FIRST = 1 << 22, /* it is not, whatever another part says */
	SEQUENCE_GONE = 1 << 21,      /* what the person did that day is somebody else's */
	SEQUENCE_COUNT = SEQUENCE_GONE - 1
};

static inline uint64_t sequence_word(const unsigned char *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof v);
	return be64toh(v);
}

#endif
