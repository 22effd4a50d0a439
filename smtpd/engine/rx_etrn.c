/*
 * ETRN, RFC 1985: a client calls for what waits for a domain, or with `@` in
 * front for that and all below it.  There are no queues with names (`#`).
 *
 * Clients of relay.etrn may call, and between two messages; and users, by a
 * line whose address changes, for what is in relay.domains: what others wait for
 * is not theirs to hurry (section 8).  Nothing is sent to the client itself but
 * by the routes, so nobody gets mail that isn't his.  How many messages there are
 * is nobody's business but an operator's: 250, not 253.
 */
#include "smtpd/engine/rx_impl.h"
#include "smtpd/engine/rx_verbs.h"

#include "common/conf/conf_match.h"
#include "common/mail/domain.h"

bool
rx_etrn_is_offered(const struct rx *rx)
{
	return conf_match_caller(rx->site->match, &rx->client) ||
	    (rx->user_n > 0 && rx->site->conf->relay.domains.n > 0);
}

static bool
may_call(const struct rx *rx, struct span node, bool is_below)
{
	const struct conf_match *match = rx->site->match;

	return conf_match_caller(match, &rx->client) || (is_below ?
	    conf_match_below(match, node) : conf_match_domain(match, node));
}

enum rx_reply_id
rx_do_etrn(struct rx *rx, const struct smtp_command *c)
{
	struct span node = c->argument;
	bool is_below = node.n > 0 && node.p[0] == '@';

	if (!rx_etrn_is_offered(rx))
		return RX_REPLY_ETRN_DENIED;
	if (node.n > 0 && node.p[0] == '#')
		return RX_REPLY_ETRN_NO_QUEUE;
	node = span_from(node, is_below);
	/* sections 5 and 8: a whole name, and not all of @com */
	if (domain_check(node, DOMAIN_UNDERSCORE) != OK ||
	    span_find(node, '.') == node.n)
		return RX_REPLY_ETRN_SYNTAX;
	if (!may_call(rx, node, is_below))
		return RX_REPLY_ETRN_FOREIGN;
	if (rx->site->spool == RX_SPOOL_GONE)
		return RX_REPLY_ETRN_NO_SPOOL;
	rx->call.is_due = true;
	rx->call.is_below = is_below;
	rx->call.n = (uint8_t)node.n;
	memcpy(rx->call.domain, node.p, node.n);
	rx_fill(rx, node);
	return RX_REPLY_ETRN_OK;
}

struct span
rx_called(const struct rx *rx, bool *is_below)
{
	*is_below = rx->call.is_below;
	return span_of(rx->call.domain, rx->call.n);
}
