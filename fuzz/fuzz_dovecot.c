/*
 * What Dovecot says, in pieces of the first octet's size.  An answer comes
 * behind a greeting only; its user is text.
 */
#include "common/base/check.h"
#include "common/base/utf8.h"
#include "common/secret/dovecot.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct dovecot *d, enum dovecot_event e,
    const struct dovecot_line *line)
{
	MUST(d->n < sizeof(d->line));
	if (e != DOVECOT_ANSWER)
		return;
	MUST(d->is_ready && d->has_version);
	MUST(line->kind >= DOVECOT_OK);
	MUST(line->user_n <= sizeof(line->user));
	MUST(line->challenge_n <= sizeof(line->challenge));
	MUST(utf8_is_valid(span_of(line->user, line->user_n)));
	for (size_t i = 0; i < line->user_n; i++)
		MUST((uint8_t)line->user[i] >= 0x20);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const size_t piece = n > 0 ? (size_t)p[0] + 1 : 1;
	struct span rest = span_from(span_of(p, n), 1);
	enum dovecot_event e = DOVECOT_MORE;
	struct dovecot_line line;
	struct dovecot d;
	unsigned ready = 0;

	dovecot_init(&d);
	while (rest.n > 0 && e != DOVECOT_BROKEN) {
		struct span input = span_sub(rest, 0, piece);

		rest = span_from(rest, piece);
		do {
			e = dovecot_next(&d, &input, &line);
			check(&d, e, &line);
			ready += e == DOVECOT_READY;
		} while (e != DOVECOT_MORE && e != DOVECOT_BROKEN);
		MUST(e == DOVECOT_BROKEN || input.n == 0);
	}
	MUST(ready <= 1);
	return 0;
}
