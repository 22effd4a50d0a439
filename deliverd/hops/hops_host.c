/*
 * The addresses of a host: which of them may be used, and in which order.
 *
 * They are judged when they come (hops_address.h), for exchangers only.  That
 * one host has no address, or no name, says nothing about the others; only when
 * none is left hops_verdict() asks what was seen on the way.
 */
#include "common/base/check.h"
#include "deliverd/hops/hops_address.h"
#include "deliverd/hops/hops_state.h"

static bool
is_refused(struct hops *h, const struct hops_host *host,
    const struct ipaddr *ip)
{
	enum hops_address_class class = hops_address_class(ip);
	bool is_private = class == HOPS_ADDRESS_PRIVATE;

	if (class == HOPS_ADDRESS_PUBLIC ||
	    (class == HOPS_ADDRESS_LOOPBACK && h->setup.may_loopback) ||
	    (is_private && !h->setup.refuses_private))
		return false;
	h->saw_private = h->saw_private || is_private;
	h->saw_refused = h->saw_refused || !is_private;
	hops_note(h, is_private ? HOPS_WHY_PRIVATE : HOPS_WHY_NOBODYS, host,
	    ip, SPAN_NONE);
	return true;
}

/* With its port: a filter, say, may listen at our address on another. */
static bool
is_self(const struct hops *h, const struct hops_host *host,
    const struct ipaddr *ip)
{
	struct endpoint at = { *ip, host->port };

	for (size_t i = 0; i < h->setup.n_own; i++)
		if (endpoint_equal(&h->setup.own[i], &at))
			return true;
	return false;
}

/* We may stand in the list under a name that isn't our own.  Those of our
 * preference that the shuffle has put before us were tried by then; what they
 * send back is stopped by the limit of hops. */
void
hops_host_add(struct hops *h, struct hops_host *host, const struct ipaddr *ip)
{
	enum hops_family family = ip->family == IPADDR_4 ? HOPS_V4 : HOPS_V6;

	if (h->is_mx && is_self(h, host, ip)) {
		/* those behind it are preferred no more than we are */
		h->saw_self = true;
		hops_note(h, HOPS_WHY_OUR_ADDRESS, host, ip, SPAN_NONE);
		for (size_t i = (size_t)(host - h->hosts) + 1;
		    i < h->n_hosts; i++)
			hops_note(h, HOPS_WHY_BEHIND_US, &h->hosts[i], NULL,
			    SPAN_NONE);
		h->n_hosts = (size_t)(host - h->hosts);
		return;
	}
	if (h->is_mx && is_refused(h, host, ip))
		return;
	if (family == HOPS_V6 && h->setup.lacks_ipv6) {
		h->saw_unreachable = true;
		hops_note(h, HOPS_WHY_NO_IPV6, host, ip, SPAN_NONE);
		return;
	}
	if (host->n_found[family] < HOPS_ADDRESSES_MAX)
		host->found[family][host->n_found[family]++] = *ip;
}

/* An answer comes from another process: its lengths are not believed. */
static bool
read_address(enum hops_family family, struct span data, struct ipaddr *out)
{
	if (data.n != (family == HOPS_V4 ? 4 : 16))
		return false;
	*out = family == HOPS_V4 ? ipaddr_v4(data.p) : ipaddr_v6(data.p);
	return true;
}

/* A name that no host can have leaves it without: then nothing is expanded. */
static void
note_name(struct hops_host *host, const struct hops_answer *a)
{
	if (a->is_secure)
		host->saw_secure = true;
	else
		host->saw_insecure = true;
	if (!dns_names_equal(a->canonical, span_str(host->name)))
		(void)span_copy(a->canonical, host->canonical,
		    sizeof(host->canonical));
}

static void
shuffle(struct rng *rng, struct ipaddr *list, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)rng_below(rng, i);
		struct ipaddr other = list[i - 1];

		list[i - 1] = list[j];
		list[j] = other;
	}
}

/* Behind those that are given out in their order by now. */
static void
add_late(struct hops *h, struct hops_host *host, enum hops_family family)
{
	shuffle(&h->rng, host->found[family], host->n_found[family]);
	for (size_t i = 0; i < host->n_found[family]; i++)
		host->addresses[host->n_addresses++] = host->found[family][i];
	MUST(host->n_addresses <= COUNT_OF(host->addresses));
}

void
hops_host_answer(struct hops *h, struct hops_host *host,
    enum hops_family family, const struct hops_answer *a)
{
	struct ipaddr ip;

	if (a->found == HOPS_TEMPORARY) {
		h->saw_temporary = true;
		hops_note(h, HOPS_WHY_TEMPORARY, host, NULL, a->text);
	} else if (a->found == HOPS_NO_NAME) {
		hops_note(h, HOPS_WHY_NO_NAME, host, NULL, SPAN_NONE);
	}
	if (a->found != HOPS_DATA)
		return;
	if (host->dane_step == HOPS_DANE_BEGIN)	/* later it is decided */
		note_name(host, a);
	for (size_t i = 0; i < a->n; i++)
		if (read_address(family, a->records[i].data, &ip))
			hops_host_add(h, host, &ip);
	if (host->is_ready)
		add_late(h, host, family);
}

/*
 * The families by turns, so that one that leads nowhere costs little; within a
 * family by lot, so that the first in every answer doesn't get all the mail.
 */
void
hops_host_make_ready(struct hops *h, struct hops_host *host)
{
	host->is_ready = true;
	for (int f = 0; f < HOPS_FAMILIES; f++)
		shuffle(&h->rng, host->found[f], host->n_found[f]);
	for (size_t i = 0; i < 2 * HOPS_ADDRESSES_MAX; i++) {
		const size_t f = (i % 2 == 0) == h->setup.is_ipv6_first ?
		    HOPS_V6 : HOPS_V4;

		if (i / 2 < host->n_found[f])
			host->addresses[host->n_addresses++] =
			    host->found[f][i / 2];
	}
	MUST(host->n_addresses <= COUNT_OF(host->addresses));
	if (host->n_addresses == 0 && !hops_is_noted(h, host))
		hops_note(h, HOPS_WHY_NO_ADDRESS, host, NULL, SPAN_NONE);
}
