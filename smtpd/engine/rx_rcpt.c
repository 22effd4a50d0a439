/*
 * RCPT, RFC 5321 4.1.1.3: each recipient is decided on its own.
 *
 * Accepted ones go into rx->rcpts at once, in the form in which they travel to
 * queued, so that a thousand of them cost one buffer and no second pass.  When
 * that is full the driver takes them (RX_LIST), so a million cost no more.  The
 * first one is kept as text besides, for the log and for the FOR clause of a
 * message that has no other.
 */
#include "smtpd/engine/rx_rcpt.h"

#include "smtpd/engine/rx_verbs.h"

#include "common/route/route_table.h"
#include "smtpd/engine/rx_rules.h"

#include <stdio.h>

#define PATH_FLAGS (SMTP_PATH_UNDERSCORE | SMTP_PATH_BARE | \
	SMTP_PATH_LONG_LOCAL)

static enum rx_reply_id
read_path(struct rx *rx, const struct smtp_command *c, struct smtp_path *path,
    struct rx_params *params)
{
	enum smtp_path_fault fault = smtp_path_to(c->argument, PATH_FLAGS |
	    (rx->mail.is_utf8 ? SMTP_PATH_UTF8 : 0), path);

	if (fault == SMTP_PATH_8BIT)
		return RX_REPLY_RCPT_8BIT;
	/* longer ones are of our own making */
	if (fault == SMTP_PATH_OK &&
	    path->address.local.n > ADDRESS_LOCAL_MAX &&
	    !rx_srs_is_it(rx, &path->address))
		fault = SMTP_PATH_LONG;
	if (fault != SMTP_PATH_OK) {
		rx_fill(rx, span_str(smtp_path_text(fault)));
		return RX_REPLY_RCPT_SYNTAX;
	}
	return rx_params_take(rx, c->verb, path->params, params);
}

/* Where a rule refuses it whatever the message will be; else queued looks for
 * its way, and reports. */
static enum rx_reply_id
ask_routes(struct rx *rx, const struct address *address)
{
	struct route_facts facts = {
		.sender = span_of(rx->mail.sender.text, rx->mail.sender.n),
		.user = span_of(rx->user, rx->user_n),
	};
	struct rx_text text;
	struct route route;
	int n;

	if (rx->site->routes == NULL || rx_qualify(rx, address, &text) != OK)
		return RX_REPLY_NONE;
	facts.recipient = span_of(text.text, text.n);
	if (rx->client.family != IPADDR_NONE)
		facts.client = span_of(rx->client.bytes,
		    rx->client.family == IPADDR_4 ? 4 : 16);
	if (!route_table_find_early(rx->site->routes, &facts, &route) ||
	    route.targets[0].scheme != CONF_SCHEME_REFUSE)
		return RX_REPLY_NONE;
	n = snprintf(rx->fill, RX_FILL_MAX, "%s %s", route.status, route.text);
	rx->fill_n = (uint8_t)(n < RX_FILL_MAX ? n : RX_FILL_MAX - 1);
	return RX_REPLY_RCPT_ROUTE;
}

enum rx_reply_id
rx_rcpt_add(struct rx *rx, const struct address *address,
    const struct rx_params *params)
{
	struct envelope_rcpt r = { .notify = params->notify,
	    .orcpt = params->orcpt };
	struct rx_text text;
	size_t before = rx->rcpts.n;

	if (rx_qualify(rx, address, &text) != OK)
		/* with our host name it would be longer than an address may
		 * be */
		return RX_REPLY_RCPT_BARE;
	r.address = span_of(text.text, text.n);
	envelope_put_rcpt(&r, &rx->rcpts);
	if (buf_failed(&rx->rcpts)) {
		/* those before stay, and nothing of this one */
		rx->rcpts.n = before;
		rx->rcpts.is_failed = false;
		return RX_REPLY_RCPT_TOO_MANY;
	}
	if (rx->mail.rcpt_count++ == 0)
		rx->mail.first_rcpt = text;
	rx_spend(&rx->budget.recipients);
	if (rx->state != RX_RCPT)
		rx_enter(rx, RX_RCPT);
	return RX_REPLY_RCPT_OK;
}

/* A stranger has no business here with more than that. */
uint32_t
rx_rcpts_max(const struct rx *rx)
{
	uint32_t n = rx->site->conf->limits.recipients;

	return rx->is_trusted || n < RX_RCPTS_STRANGER ? n :
	    RX_RCPTS_STRANGER;
}

/* What the message's sender has used up; RFC 5321 4.5.3.1.10: those before
 * stay. */
static enum rx_reply_id
has_room(const struct rx *rx)
{
	if (rx->mail.refusal != RX_REPLY_NONE)
		return rx->mail.refusal;
	if (rx->mail.rcpt_count >= rx_rcpts_max(rx))
		return RX_REPLY_RCPT_TOO_MANY;
	if (!rx->is_trusted && rx->budget.recipients == 0)
		return RX_REPLY_RCPT_RATE;
	return RX_REPLY_NONE;
}

static enum rx_reply_id
judge(struct rx *rx, const struct smtp_path *path,
    const struct rx_params *params)
{
	const bool is_srs = rx_srs_is_it(rx, &path->address);
	enum rx_reply_id reply = is_srs ? RX_REPLY_NONE :
	    rx_rules_recipient(rx->site, rx->is_trusted, path);

	if (reply == RX_REPLY_NONE && !rx_rules_is_postmaster(rx->site, path))
		reply = rx_ask_gate(rx);
	if (reply == RX_REPLY_NONE && !is_srs &&
	    !rx_rules_is_postmaster(rx->site, path))
		reply = ask_routes(rx, &path->address);
	if (reply == RX_REPLY_NONE)
		reply = has_room(rx);
	if (reply != RX_REPLY_NONE)
		return reply;
	return is_srs ? rx_srs_begin(rx, &path->address, params) :
	    rx_rcpt_add(rx, &path->address, params);
}

/* Without a reply it is keyd's turn. */
enum rx_reply_id
rx_do_rcpt(struct rx *rx, const struct smtp_command *c)
{
	struct smtp_path path;
	struct rx_params params = { 0 };
	enum rx_reply_id reply;

	reply = read_path(rx, c, &path, &params);
	if (reply == RX_REPLY_NONE)
		reply = judge(rx, &path, &params);
	if (reply != RX_REPLY_RCPT_OK && rx->state != RX_ASKING)
		rx->mail.rcpt_refused++;
	return reply;
}
