/*
 * What the history journal reads from disk: the first byte chooses a form, the
 * rest are its bytes.  Records get their sum made right, so that what lies
 * behind it is reached.
 */
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "queued/journal/journal_event.h"
#include "queued/journal/journal_head.h"

#include <stdlib.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
read_event(const struct journal_record *r)
{
	struct journal_accepted accepted;
	struct journal_attempt attempt;
	struct journal_action action;
	struct journal_recipient rcpt;
	struct journal_host host;
	struct journal_result result;
	uint64_t at, first, last;

	if (journal_accepted_get(r->fields, &accepted) == OK)
		while (journal_recipient_next(&accepted.list, &rcpt))
			MUST(rcpt.address.n <= r->fields.n);
	if (journal_attempt_get(r->fields, &attempt) == OK) {
		while (journal_host_next(&attempt.hosts, attempt.at, &host))
			MUST(host.text.n <= r->fields.n);
		while (journal_result_next(&attempt.results, &result))
			MUST(result.first <= result.last);
	}
	(void)journal_action_get(r->fields, &action);
	(void)journal_lost_get(r->fields, &at, &first, &last);
}

/* As a file is read: what is damaged is passed over. */
static void
read_records(struct span s)
{
	struct journal_record r;

	while (s.n > 0) {
		size_t n = journal_record_find(s);

		s = span_from(s, n);
		if (s.n == 0)
			break;
		MUST(journal_record_next(&s, &r) == OK);
		read_event(&r);
	}
}

static void
read_one(struct span s)
{
	struct journal_record r;
	struct buf b;
	size_t at;

	buf_init(&b, 1 << 20);
	at = journal_record_begin(&b);
	buf_add_span(&b, span_sub(s, 0, JOURNAL_RECORD_MAX));
	journal_record_end(&b, at, JOURNAL_ATTEMPT, 0, 1);
	s = buf_span(&b);
	if (!buf_failed(&b)) {
		MUST(journal_record_next(&s, &r) == OK);
		read_event(&r);
	}
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span s = span_of(bytes, n);
	struct journal_head head;
	struct journal_index_head index;

	if (n == 0)
		return 0;
	switch (bytes[0] % 3) {
	case 0:
		read_records(span_from(s, 1));
		break;
	case 1:
		read_one(span_from(s, 1));
		break;
	default:
		(void)journal_head_get(span_from(s, 1), &head);
		(void)journal_index_head_get(span_from(s, 1), &index);
		break;
	}
	return 0;
}
