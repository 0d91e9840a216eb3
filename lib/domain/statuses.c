/* statuses.c: the words of the profiles. */
#include "domain/statuses.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/words.h"

static const struct {
	const char *profile;
	bool exact; /* upper and lower case differ */
	const char *counted, *uncounted;
} profiles[] = {
	{"restaurant", true, "SERVED",
     "NEW,OPEN,CREATED,PENDING,PLACED,ACCEPTED,CONFIRMED,PREPARING,IN_PROGRESS,READY,PAID,"
     "CANCELLED,CANCELED,"
     "REJECTED,REFUNDED,VOID,VOIDED,FAILED,DRAFT"},
	{"commerce", false,
     "new,open,created,placed,pending,accepted,confirmed,processing,in_progress,on-hold,on_hold,"
     "authorized,paid,"
     "partially_paid,ready,packed,shipped,partially_shipped,fulfilled,partially_fulfilled,"
     "delivered,picked_up,served,"
     "complete,completed,closed,refunded,partially_refunded,returned,partially_returned",
     "cancelled,canceled,void,voided,failed,payment_failed,declined,rejected,draft,checkout-draft,"
     "checkout_draft,"
     "auto-draft,trash,abandoned,expired,unpaid,pending_payment,awaiting_payment"},
	{"bookings", false, "confirmed",
     "new,open,created,pending,held,reserved,waitlisted,cancelled,canceled,refunded,expired,failed,"
     "rejected,draft"},
};

static bool listed(const char *list, const char *word, bool exact)
{
	return words_find(list, ',', word, exact ? WORDS_EXACT : WORDS_ANY_CASE) >= 0;
}

enum status_verdict status_judge(const char *profile, const char *counted, const char *status)
{
	if (*counted)
		return listed(counted, status, true) ? STATUS_COUNTED : STATUS_UNCOUNTED;
	for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
		if (strcmp(profiles[i].profile, profile) != 0)
			continue;
		if (listed(profiles[i].counted, status, profiles[i].exact))
			return STATUS_COUNTED;
		if (listed(profiles[i].uncounted, status, profiles[i].exact))
			return STATUS_UNCOUNTED;
	}
	return STATUS_UNKNOWN;
}
