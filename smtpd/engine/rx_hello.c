/*
 * HELO and EHLO, RFC 5321 4.1.1.1.
 *
 * Both end a transaction as RSET does (4.1.4) once the name is accepted; a
 * refused one changes nothing.  The name is kept for the Received line and the
 * log and decides about nothing.
 */
#include "smtpd/engine/rx_auth_impl.h"
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/smtp/smtp_ext.h"
#include "smtpd/engine/rx_hold.h"

/* What EHLO offers, in this order: exactly what works. */
struct row {
	enum smtp_ext_id ext;
	void (*write)(const struct rx *rx, struct buf *out); /* parameters */
	bool for_trusted;		/* ... alone */
	bool (*is_offered)(const struct rx *rx);	/* NULL: always */
};

/* RFC 1870 section 4: the limit that also holds for content.  Asked at each
 * EHLO, as a reload may have changed it. */
static void
write_size(const struct rx *rx, struct buf *out)
{
	buf_add_byte(out, ' ');
	buf_add_u64(out, rx->site->conf->limits.message_bytes);
}

/* RFC 9422 4.2: what rx_do_rcpt() holds to, in six digits. */
static void
write_limits(const struct rx *rx, struct buf *out)
{
	const uint32_t most = rx_rcpts_max(rx);

	buf_add_str(out, " RCPTMAX=");
	buf_add_u64(out, most < 999999 ? most : 999999);
}

/* RFC 3207 4.2: not inside TLS */
static bool
offers_tls(const struct rx *rx)
{
	return rx->door.may_tls;
}

/* RFC 8689 2: inside it */
static bool
offers_require_tls(const struct rx *rx)
{
	return rx->door.is_tls;
}

static bool
offers_xclient(const struct rx *rx)
{
	return rx->door.may_xclient;
}

static void
write_xclient(const struct rx *rx, struct buf *out)
{
	(void)rx;
	buf_add_str(out, SMTP_XCLIENT_ATTRIBUTES);
}

/* The last one is for everybody. */
static const struct row rows[] = {
	{ .ext = SMTP_EXT_PIPELINING },
	{ .ext = SMTP_EXT_STARTTLS, .is_offered = offers_tls },
	{ .ext = SMTP_EXT_AUTH, .write = rx_auth_write,
	    .is_offered = rx_auth_is_offered },
	{ .ext = SMTP_EXT_SIZE, .write = write_size },
	{ .ext = SMTP_EXT_8BITMIME },
	{ .ext = SMTP_EXT_SMTPUTF8 },
	{ .ext = SMTP_EXT_CHUNKING },
	{ .ext = SMTP_EXT_BINARYMIME },
	{ .ext = SMTP_EXT_DSN },
	{ .ext = SMTP_EXT_REQUIRETLS, .is_offered = offers_require_tls },
	{ .ext = SMTP_EXT_DELIVERBY },
	{ .ext = SMTP_EXT_LIMITS, .write = write_limits },
	{ .ext = SMTP_EXT_XCLIENT, .write = write_xclient,
	    .is_offered = offers_xclient },
	{ .ext = SMTP_EXT_ETRN, .is_offered = rx_etrn_is_offered },
	{ .ext = SMTP_EXT_MT_PRIORITY, .for_trusted = true },
	{ .ext = SMTP_EXT_FUTURERELEASE, .write = rx_hold_write,
	    .for_trusted = true, .is_offered = rx_hold_is_offered },
	{ .ext = SMTP_EXT_ENHANCEDSTATUSCODES },
};

/* Written by hand, for it is the one reply of several lines whose lines depend
 * on the configuration. */
void
rx_hello_reply(const struct rx *rx, struct buf *out)
{
	buf_add_str(out, "250-");
	buf_add_str(out, rx->site->conf->hostname);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].for_trusted && !rx->is_trusted)
			continue;
		if (rows[i].is_offered != NULL && !rows[i].is_offered(rx))
			continue;
		buf_add_str(out, "\r\n250");
		buf_add_byte(out, i + 1 < COUNT_OF(rows) ? '-' : ' ');
		buf_add_str(out, smtp_ext_name(rows[i].ext));
		if (rows[i].write != NULL)
			rows[i].write(rx, out);
	}
	buf_add_str(out, "\r\n");
}

/*
 * RFC 5321 4.1.4 forbids to refuse mail for a name that isn't the client's.
 * Printers and the like call themselves anything, blanks included; strangers
 * are held to one word.
 */
static bool
is_good_name(const struct rx *rx, struct span name)
{
	if (name.n > RX_HELO_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (!text_is_print(name.p[i]))
			return false;
		if (name.p[i] == ' ' && !rx->is_trusted)
			return false;
	}
	return true;
}

/* RX_HELO_MAX is what the envelope takes and fits into a uint8_t. */
static bool
take_name(struct rx *rx, struct span name, bool is_esmtp)
{
	if (!is_good_name(rx, name))
		return false;
	memcpy(rx->helo, name.p, name.n);
	rx->helo_n = (uint8_t)name.n;
	rx->is_esmtp = is_esmtp;
	rx_forget(rx);
	rx_enter(rx, RX_READY);
	return true;
}

enum rx_reply_id
rx_do_helo(struct rx *rx, const struct smtp_command *c)
{
	return take_name(rx, c->argument, false) ? RX_REPLY_HELO
	    : RX_REPLY_HELLO_NAME;
}

enum rx_reply_id
rx_do_ehlo(struct rx *rx, const struct smtp_command *c)
{
	return take_name(rx, c->argument, true) ? RX_REPLY_EHLO
	    : RX_REPLY_HELLO_NAME;
}
