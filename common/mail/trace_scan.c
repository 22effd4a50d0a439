/*
 * Lines and words are read by two small automata: the first finds the bodies of
 * Received fields, folds included, the second their first `by` and the word
 * behind it.  Of a word it keeps how far it goes and whether it is still the one
 * that is looked for, so words may be of any length.
 */
#include "common/mail/trace_scan.h"

#include "common/base/text.h"

enum line {
	AT_START,		/* of a line */
	AT_FOLD,		/* the same, behind a line of a Received field */
	IN_NAME,		/* of what may be a Received field */
	BEHIND_NAME,		/* blanks between it and its colon */
	IN_BODY,		/* of a Received field */
	IN_OTHER,
};

enum word {
	WANTS_BY,
	WANTS_HOST,
	WANTS_NOTHING,
};

void
trace_scan_init(struct trace_scan *t)
{
	*t = (struct trace_scan){ .line = AT_START };
}

static void
begin_word(struct trace_scan *t)
{
	t->at = 0;
	t->is_same = true;
}

static void
end_word(struct trace_scan *t, struct span wanted)
{
	bool is_it = t->is_same && t->at == wanted.n && t->at > 0;

	if (t->word == WANTS_HOST && t->at > 0) {
		t->own += is_it;
		t->word = WANTS_NOTHING;
	} else if (t->word == WANTS_BY && is_it) {
		t->word = WANTS_HOST;
	}
	begin_word(t);
}

static void
read_body(struct trace_scan *t, struct span host, uint8_t c)
{
	struct span wanted = t->word == WANTS_HOST ? host : SPAN_LIT("by");

	if (c == '(' || c == ';' || c == ' ' || c == '\t' || c == '\r' ||
	    c == '\n') {
		if (t->depth == 0)
			end_word(t, wanted);
		t->depth += c == '(';
		return;
	}
	if (t->depth > 0) {
		t->depth -= c == ')';
		return;
	}
	t->is_same = t->is_same && t->at < wanted.n &&
	    text_lower_byte(c) == text_lower_byte(wanted.p[t->at]);
	t->at++;
}

static enum line
begin_body(struct trace_scan *t)
{
	t->word = WANTS_BY;
	t->depth = 0;
	begin_word(t);
	return IN_BODY;
}

static enum line
read_name(struct trace_scan *t, uint8_t c)
{
	static const char received[] = "received";

	if (t->line != BEHIND_NAME && t->at < sizeof(received) - 1)
		return text_lower_byte(c) == received[t->at++] ? IN_NAME :
		    IN_OTHER;
	if (c == ':')
		return begin_body(t);
	return c == ' ' || c == '\t' ? BEHIND_NAME : IN_OTHER;
}

static enum line
step(struct trace_scan *t, struct span host, uint8_t c)
{
	enum line line = (enum line)t->line;

	switch (line) {
	case AT_FOLD:
		if (c == ' ' || c == '\t')
			return IN_BODY;
		/* fallthrough */
	case AT_START:
		t->at = 0;
		/* fallthrough */
	case IN_NAME:
	case BEHIND_NAME:
		line = read_name(t, c);
		break;
	case IN_BODY:
		read_body(t, host, c);
		return c == '\n' ? AT_FOLD : IN_BODY;
	case IN_OTHER:
		break;
	}
	return c == '\n' ? AT_START : line;
}

void
trace_scan_feed(struct trace_scan *t, struct span host, struct span chunk)
{
	for (size_t i = 0; i < chunk.n; i++) {
		/* the rest of a line is of no interest here */
		if (t->line == IN_OTHER) {
			i += span_find(span_from(chunk, i), '\n');
			if (i == chunk.n)
				break;
		}
		t->line = (uint8_t)step(t, host, chunk.p[i]);
	}
}
