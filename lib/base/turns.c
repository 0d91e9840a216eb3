/* turns.c: two counters and a lock. */
#include "base/turns.h"

enum err turns_take(struct turns *t, int at_once, int waiting_most, const char *what,
                    struct errbuf *eb)
{
	enum err rc = ERR_OK;
	must(pthread_mutex_lock(&t->lock) == 0);
	if (t->running >= at_once && t->waiting >= waiting_most) {
		rc = err_set(eb, ERR_BUSY, "too many %s at once", what);
	} else {
		t->waiting++;
		while (t->running >= at_once)
			must(pthread_cond_wait(&t->freed, &t->lock) == 0);
		t->waiting--;
		t->running++;
	}
	must(pthread_mutex_unlock(&t->lock) == 0);
	return rc;
}

void turns_give(struct turns *t)
{
	must(pthread_mutex_lock(&t->lock) == 0);
	t->running--;
	must(pthread_cond_signal(&t->freed) == 0);
	must(pthread_mutex_unlock(&t->lock) == 0);
}
