/*
 * A limit that was told is kept rather than tried: beyond it each command would
 * be refused, and some hosts count that against the client (RFC 9422 4).
 */
#include "deliverd/engine/tx_limits.h"

#include "common/base/text.h"
#include "common/route/route.h"

bool
tx_is_full(const struct tx *t)
{
	uint32_t max = t->ext.limits.mails;

	return max != 0 && t->mail_count >= max;
}

static uint32_t
rcpts_max(const struct tx *t)
{
	uint32_t own = t->setup->rcpts_max, told = t->ext.limits.rcpts;

	return told != 0 && told < own ? told : own;
}

/* Another one is chosen that has the domain of the one at AT. */
static bool
has_domain(const struct tx_mail *m, uint32_t at)
{
	struct span domain = route_domain(m->rcpts[at].address);

	for (uint32_t i = at; i-- > m->at;)
		if (m->rcpts[i].progress == TX_RCPT_AWAITED &&
		    span_equal_nocase(domain,
		    route_domain(m->rcpts[i].address)))
			return true;
	return false;
}

void
tx_limits_choose(const struct tx *t, struct tx_mail *m)
{
	const uint32_t domains_max = t->ext.limits.domains;
	uint32_t left = rcpts_max(t), domains = 0;

	m->at = m->rcpt_count;
	for (uint32_t i = 0; i < m->rcpt_count; i++) {
		struct tx_rcpt *r = &m->rcpts[i];

		r->progress = TX_RCPT_ASIDE;
		if (r->outcome != TX_OPEN || left == 0)
			continue;
		if (domains_max != 0 && !has_domain(m, i) &&
		    domains++ >= domains_max)
			continue;
		r->progress = TX_RCPT_AWAITED;
		if (m->at == m->rcpt_count)
			m->at = i;
		left--;
	}
}
