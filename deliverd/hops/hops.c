/*
 * A round: the question for the exchangers (or none), then host by host its
 * two address questions and its addresses one after the other.  Hosts are
 * asked for only when those before them have failed, so a usual delivery costs
 * three questions, however many exchangers there are.  Who has waited for one
 * family's answer, or connection, may go on with the other.
 *
 * A round is short on purpose (HOPS_TRIED_MAX): the mail is deferred then, and
 * the next round shuffles anew.  RFC 5321 5.1 wants two addresses at least.
 */
#include "deliverd/hops/hops.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/idn/idn.h"
#include "common/mail/address.h"
#include "deliverd/hops/hops_state.h"

/* The round is over with this; the first failure is the only one. */
void
hops_fail(struct hops *h, bool is_permanent, struct status status,
    const char *format, ...)
{
	va_list args;

	h->is_failed = true;
	h->verdict.is_permanent = is_permanent;
	h->verdict.status = status;
	va_start(args, format);
	(void)vsnprintf(h->verdict.text, sizeof(h->verdict.text), format,
	    args);
	va_end(args);
}

bool
hops_make_hosts(struct hops *h, size_t n)
{
	MUST(h->hosts == NULL);
	h->n_made = n;
	h->hosts = calloc(n > 0 ? n : 1, sizeof(h->hosts[0]));
	if (h->hosts == NULL)
		hops_fail(h, false, STATUS(4, 3, 0), "out of memory");
	return h->hosts != NULL;
}

/* An address needs no question. */
static void
set_literal(struct hops *h, struct hops_host *host, const struct ipaddr *ip)
{
	for (int f = 0; f < HOPS_FAMILIES; f++)
		host->ask[f] = HOPS_ANSWERED;
	hops_host_add(h, host, ip);
}

/* Neither does a path: it counts as one address, which is none. */
static void
set_socket(struct hops_host *host)
{
	for (int f = 0; f < HOPS_FAMILIES; f++)
		host->ask[f] = HOPS_ANSWERED;
	host->is_unix = host->is_ready = true;
	host->n_addresses = 1;
}

/* Those that share the load: by lot, so that each is the first as often. */
static void
shuffle(struct hops *h)
{
	size_t n = h->setup.share < h->n_hosts ? h->setup.share : h->n_hosts;

	for (; n > 1; n--) {
		struct hops_host *last = &h->hosts[n - 1];
		struct hops_host *other = &h->hosts[rng_below(&h->rng, n)];
		const struct hops_host swapped = *last;

		*last = *other;
		*other = swapped;
	}
}

/* The administrator's hosts are taken as they are: h->is_mx is false, so no
 * address of theirs is refused. */
static enum err
set_targets(struct hops *h)
{
	if (!hops_make_hosts(h, h->setup.n_targets))
		return ERR_NOMEM;
	h->n_hosts = h->setup.n_targets;
	for (size_t i = 0; i < h->n_hosts; i++) {
		const struct route_target *target = &h->setup.targets[i];
		struct hops_host *host = &h->hosts[i];

		host->port = target->port;
		host->is_tls = target->scheme == CONF_SCHEME_SMTPS;
		host->is_lmtp = target->scheme == CONF_SCHEME_LMTP;
		host->is_literal = target->is_address;
		host->user = target->user;
		if (!span_copy(span_str(target->host), host->name,
		    sizeof(host->name)))
			return ERR_RANGE;
		if (target->is_address)
			set_literal(h, host, &target->ip);
		if (route_target_is_unix(target))
			set_socket(host);
	}
	shuffle(h);
	return OK;
}

/* user@[192.0.2.1]: the address is the exchanger, RFC 5321 4.1.3. */
static enum err
set_domain(struct hops *h, struct span domain)
{
	char ascii[IDN_ASCII_MAX + 1];
	struct ipaddr ip;
	enum err e = idn_to_ascii(domain, ascii, &domain);

	if (e == ERR_NOMEM)
		return e;
	if (e != OK) {
		h->mx = HOPS_ANSWERED;
		hops_fail(h, true, STATUS(5, 1, 2), "the domain behind the @ "
		    "has no form that the DNS knows (IDNA2008)");
		return OK;
	}
	if (!span_copy(domain, h->domain, sizeof(h->domain)))
		return ERR_RANGE;
	if (domain.n == 0 || domain.p[0] != '[')
		return OK;
	if (address_literal(domain, &ip) != OK)
		return ERR_RANGE;
	if (!hops_make_hosts(h, 1))
		return ERR_NOMEM;
	h->mx = HOPS_ANSWERED;
	h->n_hosts = 1;
	memcpy(h->hosts[0].name, h->domain, sizeof(h->domain));
	h->hosts[0].port = h->setup.targets[0].port;
	h->hosts[0].is_literal = true;
	set_literal(h, &h->hosts[0], &ip);
	return OK;
}

enum err
hops_new(const struct hops_setup *setup, struct hops **out)
{
	struct hops *h = calloc(1, sizeof(*h));
	enum err e;

	MUST(setup->n_targets > 0);
	if (h == NULL)
		return ERR_NOMEM;
	if (setup->wants_notes) {
		h->notes = calloc(HOPS_NOTES_MAX, sizeof(h->notes[0]));
		if (h->notes == NULL) {
			free(h);
			return ERR_NOMEM;
		}
	}
	h->setup = *setup;
	/* borrowed for this call: h->domain is the copy */
	h->setup.domain = SPAN_NONE;
	rng_init(&h->rng, setup->seed);
	h->is_mx = setup->targets[0].scheme == CONF_SCHEME_MX;
	h->mx = h->is_mx ? HOPS_NOT_ASKED : HOPS_ANSWERED;
	e = h->is_mx ? set_domain(h, setup->domain) : set_targets(h);
	if (e != OK) {
		hops_free(&h);
		return e;
	}
	*out = h;
	return OK;
}

void
hops_free(struct hops **h)
{
	if (*h == NULL)
		return;
	for (size_t i = 0; (*h)->hosts != NULL && i < (*h)->n_made; i++)
		free((*h)->hosts[i].dane);
	free((*h)->hosts);
	free((*h)->notes);
	free(*h);
	*h = NULL;
}

/* Of a host without other addresses it is good to know whether it has those
 * that can't be reached now. */
static bool
wants(const struct hops *h, const struct hops_host *host,
    enum hops_family family)
{
	if (family == HOPS_V4)
		return h->setup.has_ipv4;
	return h->setup.has_ipv6 ||
	    (h->setup.lacks_ipv6 && host->n_found[HOPS_V4] == 0);
}

static bool
must_wait(const struct hops *h, const struct hops_host *host,
    enum hops_family family)
{
	return family == HOPS_V6 && h->setup.lacks_ipv6 &&
	    host->ask[HOPS_V4] == HOPS_ASKED;
}

/* Asks for both families at once, one question a call, then waits for both:
 * who took the first answer would prefer the family whose question is quicker.
 * HOPS_TRY: all is answered. */
static enum hops_step
resolve(struct hops *h, struct hops_host *host, struct hops_question *q)
{
	bool is_awaited = false;

	for (unsigned f = 0; f < HOPS_FAMILIES; f++) {
		if (must_wait(h, host, f))
			continue;
		if (host->ask[f] == HOPS_NOT_ASKED && !wants(h, host, f))
			host->ask[f] = HOPS_ANSWERED;
		if (host->ask[f] == HOPS_NOT_ASKED) {
			host->ask[f] = HOPS_ASKED;
			q->id = HOPS_ID_HOSTS + f +
			    HOPS_KINDS * (uint32_t)(host - h->hosts);
			q->type = f == HOPS_V4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
			q->name = host->name;
			return HOPS_ASK;
		}
		is_awaited = is_awaited ||
		    (host->ask[f] == HOPS_ASKED && !host->is_hurried);
	}
	return is_awaited ? HOPS_AWAIT : hops_dane_ask(h, host, q);
}

/* One with many addresses must not use up the round while others are left. */
static bool
is_beyond(const struct hops *h, const struct hops_host *host)
{
	bool is_last_host = h->turn + 1 >= h->n_hosts;

	return h->tried - h->tried_beyond >= HOPS_TRIED_MAX ||
	    (host->given >= HOPS_PER_HOST && !is_last_host);
}

/* Whether another host or address could as well have come now. */
static bool
is_drawn(const struct hops *h, const struct hops_host *host)
{
	const struct ipaddr *ip = &host->addresses[host->given];
	enum hops_family family = ip->family == IPADDR_4 ? HOPS_V4 : HOPS_V6;

	if (host->n_found[family] > 1)
		return true;
	if (!h->is_mx)
		return h->setup.share > 1 &&
		    (size_t)(host - h->hosts) < h->setup.share;
	for (size_t i = 0; i < h->n_hosts; i++)
		if (&h->hosts[i] != host &&
		    h->hosts[i].preference == host->preference)
			return true;
	return false;
}

/* False when this host has nothing more to give: the next one's turn. */
bool
hops_give(struct hops *h, struct hops_host *host, struct hop *hop)
{
	static const struct hop_dane none = { .base = "",
		.names = { "", "" } };

	if (host->given >= host->n_addresses ||
	    (is_beyond(h, host) && !h->setup.is_whole))
		return false;
	hop->is_beyond = is_beyond(h, host);
	hop->is_drawn = is_drawn(h, host);
	hop->preference = host->preference;
	hop->at.addr = host->addresses[host->given++];
	hop->at.port = host->port;
	hop->host = host->name;
	hop->is_tls = host->is_tls;
	hop->is_lmtp = host->is_lmtp;
	hop->is_literal = host->is_literal;
	hop->is_unix = host->is_unix;
	hop->user = host->user != NULL ? host->user : "";
	hop->dane = host->dane != NULL ? host->dane : &none;
	h->tried++;
	h->tried_beyond += hop->is_beyond ? 1 : 0;
	return true;
}

enum hops_step
hops_next(struct hops *h, struct hops_question *question, struct hop *hop)
{
	if (h->mx == HOPS_NOT_ASKED) {
		h->mx = HOPS_ASKED;
		*question = (struct hops_question){ HOPS_ID_MX, DNS_TYPE_MX,
		    h->domain };
		return HOPS_ASK;
	}
	if (h->mx == HOPS_ASKED)
		return HOPS_AWAIT;
	/* n_hosts may shrink: an answer may show that a host is ourselves */
	while (!h->is_failed && h->turn < h->n_hosts &&
	    h->tried < (h->setup.is_whole ? HOPS_WHOLE_MAX : HOPS_TRIED_MAX)) {
		struct hops_host *host = &h->hosts[h->turn];
		enum hops_step step = resolve(h, host, question);

		if (step != HOPS_TRY)
			return step;
		if (!host->is_ready)
			hops_host_make_ready(h, host);
		if (hops_give(h, host, hop))
			return HOPS_TRY;
		h->turn++;
	}
	return HOPS_OVER;
}

/* An id for each host and kind; what isn't asked (any more) is ignored. */
void
hops_answer(struct hops *h, uint32_t id, const struct hops_answer *a)
{
	uint32_t index = (id - HOPS_ID_HOSTS) / HOPS_KINDS;
	unsigned kind = (id - HOPS_ID_HOSTS) % HOPS_KINDS;

	if (id == HOPS_ID_MX && h->mx == HOPS_ASKED) {
		h->mx = HOPS_ANSWERED;
		hops_mx_answer(h, a);
	} else if (id < HOPS_ID_HOSTS || index >= h->n_hosts) {
		return;
	} else if (kind == HOPS_KIND_DANE) {
		if (h->hosts[index].dane_ask == HOPS_ASKED)
			hops_dane_answer(h, &h->hosts[index], a);
	} else if (h->hosts[index].ask[kind] == HOPS_ASKED) {
		h->hosts[index].ask[kind] = HOPS_ANSWERED;
		hops_host_answer(h, &h->hosts[index], kind, a);
	}
}

void
hops_skip(struct hops *h)
{
	MUST(h->turn < h->n_hosts && h->tried > 0);
	h->turn++;
}

const char *
hops_domain(const struct hops *h)
{
	return h->domain;
}

unsigned
hops_tried(const struct hops *h)
{
	return h->tried;
}

static const char *
who(const struct hops *h)
{
	return h->is_mx ? h->domain : h->setup.targets[0].host;
}

/*
 * Nothing could be tried.  What may be better later is never given up, and
 * neither is a host that the administrator has named: a name that can't be
 * found then is a mistake of ours, not of the sender.
 */
void
hops_verdict(const struct hops *h, struct hops_verdict *out)
{
	/* only a place for the words: the round itself isn't changed */
	struct hops other = { 0 };

	if (h->is_failed) {
		*out = h->verdict;
		return;
	}
	if (h->tried > 0)
		hops_fail(&other, false, STATUS(4, 4, 1),
		    "no host for %s could be reached", who(h));
	else if (h->saw_temporary)
		hops_fail(&other, false, STATUS(4, 4, 3), "the addresses of "
		    "the hosts for %s can't be looked up now", who(h));
	else if (h->saw_unreachable)
		hops_fail(&other, false, STATUS(4, 4, 1), "the hosts for %s "
		    "have IPv6 addresses only, and there is no way to these "
		    "from here now", who(h));
	else if (!h->is_mx)
		hops_fail(&other, false, STATUS(4, 4, 4),
		    "the next hop %s has no address", who(h));
	else if (h->saw_more)
		hops_fail(&other, false, STATUS(4, 4, 4), "%s has too many "
		    "mail exchangers, the first %d have no address", who(h),
		    HOPS_HOSTS_MAX);
	else if (h->saw_self)
		hops_fail(&other, true, STATUS(5, 4, 6), "mail for %s loops "
		    "back to this host, its best mail exchanger", who(h));
	else if (h->saw_refused)
		hops_fail(&other, true, STATUS(5, 4, 6), "the mail exchangers "
		    "of %s have no address outside of this host", who(h));
	else if (h->saw_private)
		hops_fail(&other, true, STATUS(5, 7, 1), "the mail exchangers "
		    "of %s are in private networks, where no mail is sent by "
		    "MX from here", who(h));
	else
		hops_fail(&other, true, STATUS(5, 4, 4),
		    "the mail exchangers of %s have no address", who(h));
	*out = other.verdict;
}
