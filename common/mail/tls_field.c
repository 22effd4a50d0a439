#include "common/mail/tls_field.h"

#include "common/base/text.h"

enum { LINE_BEGIN, FOLD, NAME, VALUE, OTHER };	/* FOLD: behind a line of ours */

static const char name[] = "tls-required:", value[] = "no";

#define NAME_BYTES	(sizeof(name) - 1)
#define VALUE_BYTES	(sizeof(value) - 1)

void
tls_field_init(struct tls_field *t)
{
	*t = (struct tls_field){ .state = LINE_BEGIN };
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Blanks stand before the colon in old mail only, RFC 5322 4.5.8. */
static void
in_name(struct tls_field *t, uint8_t c)
{
	if (is_blank(c) && name[t->at] == ':')
		return;
	if (text_lower_byte(c) != (uint8_t)name[t->at]) {
		t->state = OTHER;
		return;
	}
	if (++t->at < NAME_BYTES)
		return;
	t->state = VALUE;
	t->seen = 0;
	t->is_no = true;
	if (t->count < 2)
		t->count++;
}

static void
in_value(struct tls_field *t, uint8_t c)
{
	if (is_blank(c))
		return;
	t->is_no = t->is_no && t->seen < VALUE_BYTES &&
	    text_lower_byte(c) == (uint8_t)value[t->seen];
	if (t->seen < VALUE_BYTES)
		t->seen++;
}

static void
at_line(struct tls_field *t, uint8_t c)
{
	if (is_blank(c)) {
		t->state = t->state == FOLD ? VALUE : OTHER;
		return;
	}
	t->state = NAME;
	t->at = 0;
	in_name(t, c);
}

static void
feed(struct tls_field *t, uint8_t c)
{
	if (c == '\n') {
		t->state = t->state == VALUE ? FOLD : LINE_BEGIN;
		return;
	}
	switch (t->state) {
	case LINE_BEGIN:
	case FOLD:
		at_line(t, c);
		break;
	case NAME:
		in_name(t, c);
		break;
	case VALUE:
		in_value(t, c);
		break;
	default:
		break;
	}
}

/* Of other fields only the ends of their lines are looked for. */
void
tls_field_feed(struct tls_field *t, struct span chunk)
{
	for (size_t i = 0; i < chunk.n; i++) {
		if (t->state == OTHER) {
			i += span_find(span_from(chunk, i), '\n');
			if (i >= chunk.n)
				return;
		}
		feed(t, chunk.p[i]);
	}
}

bool
tls_field_says_no(const struct tls_field *t)
{
	return t->count == 1 && t->is_no && t->seen == VALUE_BYTES;
}
