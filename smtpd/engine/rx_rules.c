/*
 * Who may send where (I-08).
 *
 * All rules are asked with the configuration of this moment and a client's
 * address, never with anything the client said of itself: a HELO name or a
 * sender opens nothing.
 */
#include "smtpd/engine/rx_rules.h"

#include "common/conf/conf.h"
#include "common/conf/conf_match.h"
#include "common/conf/conf_name.h"

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

/* RFC 5321 4.5.1: also from those who may send nothing else, bare or with the
 * name of this host. */
bool
rx_rules_is_postmaster(const struct rx_site *site, const struct smtp_path *path)
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
	/* before all else: a bare postmaster has no domain to be looked for */
	if (is_trusted || rx_rules_is_postmaster(site, path))
		return RX_REPLY_NONE;
	if (has_route_within(path->address.local))
		return RX_REPLY_RCPT_ROUTED;
	/* only our own clients' addresses are completed */
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

/* ---- as whom a user may send ---- */

static bool
is_below(struct span domain, struct span of)
{
	return domain.n > of.n + 1 &&
	    domain.p[domain.n - of.n - 1] == '.' &&
	    span_equal_nocase(span_from(domain, domain.n - of.n), of);
}

/* A local part's case counts, RFC 5321 2.4. */
static bool
matches(struct span pattern, struct span sender)
{
	const struct conf_pattern p = conf_name_pattern(pattern);
	size_t at = sender.n;
	struct span domain;

	while (at > 0 && sender.p[at - 1] != '@')
		at--;
	domain = span_from(sender, at);
	switch (p.kind) {
	case CONF_PATTERN_ANY:
		return true;
	case CONF_PATTERN_NULL:
		return sender.n == 0;
	case CONF_PATTERN_DOMAIN:
		return at > 0 && span_equal_nocase(domain, p.domain);
	case CONF_PATTERN_BELOW:
		return at > 0 && is_below(domain, p.domain);
	case CONF_PATTERN_ADDRESS:
		return at > 0 && span_equal_nocase(domain, p.domain) &&
		    span_equal(span_sub(sender, 0, at - 1), p.local);
	case CONF_PATTERN_NONE:
		break;
	}
	return false;
}

bool
rx_rules_may_send_as(const struct rx_site *site, struct span user,
    struct span sender)
{
	const struct conf_texts *rows = &site->conf->auth.senders;

	for (size_t i = 0; i < rows->n; i++) {
		struct span row = span_str(rows->v[i]);
		const size_t blank = span_find(row, ' ');
		struct span who = span_sub(row, 0, blank);

		if ((span_equal(who, user) ||
		    span_equal(who, SPAN_LIT("*"))) &&
		    matches(span_from(row, blank + 1), sender))
			return true;
	}
	return rows->n == 0;
}
