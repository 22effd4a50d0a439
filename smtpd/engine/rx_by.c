/*
 * DELIVERBY, RFC 2852: the sender says until when the message is of use, and
 * what is to be done then: return it (R) or tell of the delay (N).  T asks to be
 * told of each host that passes it on.  Offered to all, with no least time.
 */
#include "smtpd/engine/rx_by.h"

#include "common/base/mtime.h"
#include "common/base/text.h"
#include "smtpd/engine/rx_impl.h"

#define DIGITS_MAX 9

/* [+/-] 1*9DIGIT */
static bool
take_time(struct span *s, int64_t *seconds)
{
	bool is_negative = s->n > 0 && s->p[0] == '-';
	int64_t v = 0;
	size_t n = 0;

	if (s->n > 0 && (s->p[0] == '-' || s->p[0] == '+'))
		*s = span_from(*s, 1);
	while (n < s->n && text_is_digit(s->p[n]) && n <= DIGITS_MAX)
		v = v * 10 + (s->p[n++] - '0');
	*s = span_from(*s, n);
	*seconds = is_negative ? -v : v;
	return n > 0 && n <= DIGITS_MAX;
}

/* ;R, ;N, and T behind either */
static bool
take_mode(struct span s, uint8_t *mode)
{
	if (s.n < 2 || s.n > 3 || s.p[0] != ';')
		return false;
	switch (text_lower_byte(s.p[1])) {
	case 'r':
		*mode = ENVELOPE_BY_RETURN;
		break;
	case 'n':
		*mode = ENVELOPE_BY_NOTIFY;
		break;
	default:
		return false;
	}
	if (s.n == 3)
		*mode |= ENVELOPE_BY_TRACE;
	return s.n == 2 || text_lower_byte(s.p[2]) == 't';
}

/* Section 4: what is to be returned must have some time left. */
enum rx_reply_id
rx_by_take(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	struct span rest = p->value;
	int64_t seconds;
	uint8_t mode;

	if (!p->has_value || !take_time(&rest, &seconds) ||
	    !take_mode(rest, &mode) ||
	    ((mode & ENVELOPE_BY_RETURN) != 0 && seconds <= 0))
		return RX_REPLY_PARAM_BY;
	out->by = mode;
	out->by_at = mtime_add(rx->site->wall_ms, seconds * MTIME_SECOND);
	return RX_REPLY_NONE;
}

/* RFC 4865 5.2.2, whatever is to be done at its time. */
bool
rx_by_is_in_vain(const struct rx_params *p)
{
	return p->by != 0 && p->hold_until != 0 && p->hold_until >= p->by_at;
}
