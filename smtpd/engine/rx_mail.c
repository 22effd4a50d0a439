/*
 * MAIL, RFC 5321 4.1.1.2.
 *
 * Syntax, parameters and rules are asked before the spool, so that a client
 * whose address is wrong hears 5xx for it, not 4xx again and again, while the
 * spool is full.  Nothing of the transaction is written before all agreed.
 */
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

#include "common/base/units.h"
#include "smtpd/engine/rx_rules.h"
#include "smtpd/engine/rx_utf8.h"

/* Underscores in domains, addresses without a domain: printers and cron jobs
 * send such. */
#define PATH_FLAGS (SMTP_PATH_UNDERSCORE | SMTP_PATH_BARE)

static enum rx_reply_id
read_path(struct rx *rx, struct span argument, struct smtp_path *path,
    bool *is_utf8)
{
	enum smtp_path_fault fault = rx_utf8_sender(argument, PATH_FLAGS,
	    is_utf8, path);

	if (fault != SMTP_PATH_OK) {
		rx_fill(rx, span_str(smtp_path_text(fault)));
		return RX_REPLY_SENDER_SYNTAX;
	}
	return rx_rules_sender(rx->is_trusted, path);
}

/* The size is the client's word and only spares both sides a transfer; what
 * counts is whether queued can write the message (I-06). */
static enum rx_reply_id
ask_spool(const struct rx_site *site, uint64_t size)
{
	if (site->spool == RX_SPOOL_GONE)
		return RX_REPLY_NO_SPOOL;
	if (site->spool == RX_SPOOL_FULL || size > site->room_bytes)
		return RX_REPLY_NO_ROOM;
	return RX_REPLY_NONE;
}

/* In a unit that a person would use. */
static enum rx_reply_id
refuse_for_quota(struct rx *rx)
{
	uint32_t unit = rx->budget.quota_wait_s > 2 * 3600 ? 3600 :
	    rx->budget.quota_wait_s > 2 * 60 ? 60 : 1;
	uint32_t n = (rx->budget.quota_wait_s - 1) / unit + 1;
	char text[UNITS_TEXT_SIZE];

	units_format_ms((int64_t)n * unit * 1000, text);
	rx_fill(rx, span_str(text));
	return RX_REPLY_MAIL_QUOTA;
}

enum rx_reply_id
rx_do_mail(struct rx *rx, const struct smtp_command *c)
{
	struct smtp_path path;
	struct rx_params params = { 0 };
	enum rx_reply_id reply;
	bool is_utf8;

	/* for the whole transaction: a reload between two RCPTs changes no
	 * rule */
	rx->is_trusted = rx->user_n > 0 ||
	    rx_rules_is_trusted(rx->site, &rx->client);
	if (rx->door.needs_auth && rx->user_n == 0)
		return RX_REPLY_AUTH_FIRST;
	reply = read_path(rx, c->argument, &path, &is_utf8);
	if (reply == RX_REPLY_NONE)
		reply = rx_params_take(rx, c->verb, path.params, &params);
	if (reply == RX_REPLY_NONE && is_utf8 && !params.is_utf8)
		reply = RX_REPLY_SENDER_8BIT;
	if (reply == RX_REPLY_NONE)
		reply = ask_spool(rx->site, params.size);
	if (reply == RX_REPLY_NONE && !rx->is_trusted &&
	    rx->budget.messages == 0)
		reply = RX_REPLY_MAIL_RATE;
	if (reply == RX_REPLY_NONE && rx->budget.quota_wait_s > 0)
		reply = refuse_for_quota(rx);
	if (reply != RX_REPLY_NONE)
		return reply;
	if (!path.is_null &&
	    rx_qualify(rx, &path.address, &rx->mail.sender) != OK)
		return RX_REPLY_SENDER_BARE;
	if (rx->user_n > 0 && !rx_rules_may_send_as(rx->site,
	    span_of(rx->user, rx->user_n), span_of(rx->mail.sender.text,
	    path.is_null ? 0 : rx->mail.sender.n))) {
		rx_forget(rx);
		return RX_REPLY_SENDER_FOREIGN;
	}
	rx->mail.said_8bit = params.said_8bit;
	rx->mail.is_utf8 = params.is_utf8;
	rx->mail.is_binary = params.is_binary;
	rx->mail.requires_tls = params.requires_tls;
	rx->mail.hold_until = params.hold_until;
	rx->mail.hold_asked_n = params.hold_asked_n;
	memcpy(rx->mail.hold_asked, params.hold_asked, params.hold_asked_n);
	rx->mail.by_at = params.by_at;
	rx->mail.by = params.by;
	rx->mail.priority = params.priority;
	rx->mail.ret = params.ret;
	rx->mail.envid_n = (uint8_t)params.envid.n;
	if (params.envid.n > 0)
		memcpy(rx->mail.envid, params.envid.p, params.envid.n);
	rx_spend(&rx->budget.messages);
	rx_enter(rx, RX_MAIL);
	return RX_REPLY_SENDER_OK;
}
