/*
 * SMTPUTF8, RFC 6531: addresses and headers in UTF-8.
 *
 * The parameter stands behind the address for which it is needed, so the path
 * of MAIL is read as ASCII first, and again, as UTF-8, when it is none.  What
 * of the message really needs the extension is found while it comes, and kept
 * with it (3.6): a message that does not need it goes to hosts without it.
 */
#include "smtpd/engine/rx_utf8.h"

#include "smtpd/engine/rx_impl.h"

/* 3.4: without a value */
enum rx_reply_id
rx_utf8_take(struct rx *rx, const struct smtp_param *p, struct rx_params *out)
{
	(void)rx;
	if (p->has_value)
		return RX_REPLY_PARAM_UTF8;
	out->is_utf8 = true;
	return RX_REPLY_NONE;
}

enum smtp_path_fault
rx_utf8_sender(struct span argument, unsigned flags, bool *is_utf8,
    struct smtp_path *path)
{
	enum smtp_path_fault fault = smtp_path_from(argument, flags, path);

	*is_utf8 = fault == SMTP_PATH_8BIT;
	return *is_utf8 ? smtp_path_from(argument, flags | SMTP_PATH_UTF8,
	    path) : fault;
}

/* Only then is there a reason to look. */
void
rx_utf8_feed(struct rx *rx, struct span content)
{
	if (rx->mail.is_utf8)
		parts_scan_feed(&rx->content.parts, content);
}

uint32_t
rx_utf8_flags(const struct rx *rx)
{
	if (!rx->mail.is_utf8)
		return 0;
	return ENVELOPE_UTF8 |
	    (rx->content.parts.has_8bit ? ENVELOPE_UTF8_HEADER : 0U);
}
