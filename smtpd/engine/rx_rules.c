#include "smtpd/engine/rx_rules.h"

#include "common/conf/conf.h"
#include "common/conf/conf_match.h"

bool
rx_rules_is_trusted(const struct rx_site *site, const struct ipaddr *client)
{
	return conf_match_client(site->match, client);
}

/* Signs of a route to another host, RFC 2505 2.1; looked for in the raw local
 * part, where quoting can't hide them. */
static bool
has_route_within(struct span local)
{
	return span_find(local, '@') < local.n ||
	    span_find(local, '%') < local.n ||
	    span_find(local, '!') < local.n;
}

static bool
is_our_postmaster(const struct rx_site *site, const struct smtp_path *path)
{
	if (path->is_postmaster)
		return true;
	return address_is_postmaster(&path->address) &&
	    domain_equal(path->address.domain, span_str(site->conf->hostname));
}

enum rx_reply_id
rx_rules_recipient(const struct rx_site *site, bool is_trusted,
    const struct smtp_path *path)
{
	if (path->is_null)
		return RX_REPLY_RCPT_NULL;
	if (is_trusted || is_our_postmaster(site, path))
		return RX_REPLY_NONE;
	if (has_route_within(path->address.local))
		return RX_REPLY_RCPT_ROUTED;
	if (path->address.domain.n == 0)
		return RX_REPLY_RCPT_BARE;
	/* an address literal is nobody's domain */
	if (!conf_match_domain(site->match, path->address.domain))
		return RX_REPLY_RCPT_RELAY;
	return RX_REPLY_NONE;
}

enum rx_reply_id
rx_rules_sender(bool is_trusted, const struct smtp_path *path)
{
	if (is_trusted || path->is_null ||
	    path->address.domain.n > 0)
		return RX_REPLY_NONE;
	return RX_REPLY_SENDER_BARE;
}
