/*
 * FUTURERELEASE, RFC 4865: the sender says when delivery may begin, as an
 * interval or as a moment.  Both are kept as a moment of the wall clock, and
 * handed over as what of it is left when the message is whole: queued's clock
 * is another one.
 */
#include "smtpd/engine/rx_hold.h"

#include "common/base/mtime.h"
#include "smtpd/engine/rx_impl.h"

#define SECONDS_MAX	999999999	/* 1*9DIGIT */
#define MOMENT_MAX	(ENVELOPE_HOLD_ASKED_MAX - 6)	/* behind until; */

static int64_t
most_ms(const struct rx *rx)
{
	return mtime_min(rx->site->conf->limits.hold_ms,
	    SECONDS_MAX * MTIME_SECOND);
}

bool
rx_hold_is_offered(const struct rx *rx)
{
	return rx->door.needs_auth && most_ms(rx) >= MTIME_SECOND;
}

bool
rx_hold_is_param(enum smtp_param_id id)
{
	return id == SMTP_PARAM_HOLDFOR || id == SMTP_PARAM_HOLDUNTIL;
}

/* Section 4: the longest interval, and the moment at its end. */
void
rx_hold_write(const struct rx *rx, struct buf *out)
{
	char date[MTIME_UTC_SIZE];

	buf_add_byte(out, ' ');
	buf_add_u64(out, (uint64_t)(most_ms(rx) / MTIME_SECOND));
	buf_add_byte(out, ' ');
	mtime_format_utc(mtime_add(rx->site->wall_ms, most_ms(rx)), date);
	/* without milliseconds */
	buf_add(out, date, 19);
	buf_add_byte(out, 'Z');
}

static enum rx_reply_id
hold_until(struct rx *rx, int64_t at, struct rx_params *out)
{
	/* section 4.1: one of the two, once */
	if (out->hold_until != 0)
		return RX_REPLY_PARAM_HOLD_TWICE;
	if (mtime_sub(at, rx->site->wall_ms) > most_ms(rx)) {
		rx_fill_u64(rx, (uint64_t)(most_ms(rx) / MTIME_SECOND));
		return RX_REPLY_HOLD_TOO_LONG;
	}
	out->hold_until = at;
	return RX_REPLY_NONE;
}

/* Section 5.1.2: as a report will tell it. */
static void
ask(struct rx_params *out, const char *how, struct span value)
{
	size_t n = strlen(how);

	memcpy(out->hold_asked, how, n);
	memcpy(out->hold_asked + n, value.p, value.n);
	out->hold_asked_n = (uint8_t)(n + value.n);
}

/* Who isn't offered it is told that there is no such thing. */
static bool
is_for_us(const struct rx *rx)
{
	return rx->is_trusted && rx_hold_is_offered(rx);
}

enum rx_reply_id
rx_hold_for(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	uint64_t seconds;

	if (!is_for_us(rx))
		return RX_REPLY_PARAM_UNKNOWN;
	/* %x31-39 *8DIGIT */
	if (!p->has_value || p->value.n > 9 || p->value.p[0] == '0' ||
	    smtp_params_octets(p->value, &seconds) != OK)
		return RX_REPLY_PARAM_HOLDFOR;
	ask(out, "for;", p->value);
	return hold_until(rx, mtime_add(rx->site->wall_ms,
	    (int64_t)seconds * MTIME_SECOND), out);
}

/* A moment that is over holds nothing, and is no mistake: clocks differ. */
enum rx_reply_id
rx_hold_moment(struct rx *rx, const struct smtp_param *p,
    struct rx_params *out)
{
	int64_t at;

	if (!is_for_us(rx))
		return RX_REPLY_PARAM_UNKNOWN;
	if (!p->has_value || p->value.n > MOMENT_MAX ||
	    mtime_parse_utc(p->value, &at) != OK)
		return RX_REPLY_PARAM_HOLDUNTIL;
	ask(out, "until;", p->value);
	return hold_until(rx, at, out);
}
