/*
 * Others read this to learn where a message came from, so nothing that a
 * client said may look like something that we say: its name for itself goes
 * through a list of harmless characters, its address is ours to tell.
 *
 * The folds stand at fixed places and each part is bounded, so the length of a
 * line needs no counting: twice 255 octets of a name and an address at most.
 */
#include "common/mail/received.h"

#include "common/base/ipaddr.h"
#include "common/base/text.h"
#include "common/mail/domain.h"
#include "common/mail/mail_date.h"

#define RCPT_MAX 320	/* longest address told of in `for` */

/* What a host name or an address literal is made of; anything else could be
 * read as a comment, a quoted string or the end of the field. */
static bool
is_harmless(uint8_t c)
{
	return text_is_alpha(c) || text_is_digit(c) || c == '.' || c == '-' ||
	    c == '_' || c == ':' || c == '[' || c == ']';
}

/* Cut, not folded: no true name is longer, and the line stays short. */
static void
add_harmless(struct span text, struct buf *out)
{
	uint8_t name[DOMAIN_MAX];
	size_t n = text.n < sizeof(name) ? text.n : sizeof(name);

	for (size_t i = 0; i < n; i++)
		name[i] = is_harmless(text.p[i]) ? text.p[i] : '?';
	buf_add(out, name, n);
}

/* An empty name (nothing was said) leaves a word there, as the grammar wants
 * one. */
static void
add_helo(struct span helo, struct buf *out)
{
	add_harmless(helo.n > 0 ? helo : SPAN_LIT("unknown"), out);
}

/* Without EHLO there is no TLS, no AUTH and no SMTPUTF8. */
struct span
received_with(unsigned flags)
{
	static const struct span words[2][4] = {
		{ SPAN_LIT("ESMTP"), SPAN_LIT("ESMTPS"), SPAN_LIT("ESMTPA"),
		    SPAN_LIT("ESMTPSA") },
		{ SPAN_LIT("UTF8SMTP"), SPAN_LIT("UTF8SMTPS"),
		    SPAN_LIT("UTF8SMTPA"), SPAN_LIT("UTF8SMTPSA") },
	};

	if ((flags & RECEIVED_ESMTP) == 0)
		return SPAN_LIT("SMTP");
	return words[(flags & RECEIVED_UTF8) != 0][((flags & RECEIVED_TLS) ?
	    1 : 0) + ((flags & RECEIVED_AUTH) ? 2 : 0)];
}

/* From-domain of RFC 5321 4.4 with the address literal as its TCP-info. */
void
received_head(const struct received *r, struct buf *out)
{
	char text[IPADDR_TEXT_SIZE];

	buf_add_str(out, "Received: from ");
	add_helo(r->helo, out);
	if (r->client != NULL) {
		buf_add_str(out, " (");
		if (r->name.n > 0) {
			add_harmless(r->name, out);
			buf_add_byte(out, ' ');
		}
		buf_add_str(out, r->client->family == IPADDR_6 ? "[IPv6:" :
		    "[");
		buf_add(out, text, ipaddr_format(r->client, text));
		buf_add_str(out, "])");
	}
	buf_add_str(out, "\r\n\tby ");
	buf_add_span(out, r->host);
	buf_add_str(out, " with ");
	buf_add_span(out, r->with);
	buf_add_str(out, " id ");
}

/* A checked envelope address is printable; others are not told of.  With
 * several recipients the caller names none, so that no blind copy is given
 * away (RFC 5321 7.2). */
static bool
is_tellable(struct span rcpt)
{
	if (rcpt.n == 0 || rcpt.n > RCPT_MAX)
		return false;
	for (size_t i = 0; i < rcpt.n; i++) {
		if (!text_is_print(rcpt.p[i]))
			return false;
	}
	return true;
}

void
received_tail(const struct received *r, struct buf *out)
{
	char date[MAIL_DATE_SIZE];

	if (is_tellable(r->only_rcpt)) {
		buf_add_str(out, "\r\n\tfor <");
		buf_add_span(out, r->only_rcpt);
		buf_add_byte(out, '>');
	}
	if (is_tellable(r->tls)) {
		buf_add_str(out, " tls ");
		buf_add_span(out, r->tls);
	}
	if (r->priority != 0)
		buf_addf(out, " PRIORITY %d", r->priority);
	buf_add_str(out, "; ");
	buf_add(out, date, mail_date_format(r->at_ms, r->zone_min, date));
	buf_add_str(out, "\r\n");
}
