/*
 * Mail exchangers: RFC 5321 5.1, RFC 7505.
 *
 * The order of things matters: names first become one host each, with the best
 * of their preferences; then they are sorted, then cut at ourselves, and only
 * then at HOPS_HOSTS_MAX.  Cut before, we might not be found among those that
 * are left.
 */
#include <stdlib.h>

#include "common/mail/domain.h"
#include "deliverd/hops/hops_state.h"

/*
 * Domains that take no mail said so in this way long before RFC 7505;
 * connecting there would give the mail to ourselves.  It counts as a null MX.
 */
static bool
is_localhost(struct span name)
{
	struct span localhost = SPAN_LIT("localhost");

	return dns_names_equal(name, localhost) ||
	    domain_is_below(name, localhost);
}

static int
compare_hosts(const void *a, const void *b)
{
	const struct hops_host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Twice in one answer is the same host; the list is short enough to be
 * searched. */
static struct hops_host *
find_host(struct hops *h, struct span name)
{
	for (size_t i = 0; i < h->n_hosts; i++)
		if (span_equal_nocase(span_str(h->hosts[i].name), name))
			return &h->hosts[i];
	return NULL;
}

/* A name too long for the DNS can't have come from there and is left out.
 * ORDER is drawn once, for a sort that needs a stable answer. */
static void
add_exchanger(struct hops *h, const struct hops_record *r)
{
	struct hops_host *host = find_host(h, r->data);

	if (host != NULL) {
		if (r->preference < host->preference)
			host->preference = r->preference;
		return;
	}
	host = &h->hosts[h->n_hosts];
	if (!span_copy(r->data, host->name, sizeof(host->name)))
		return;
	host->preference = r->preference;
	host->port = h->setup.targets[0].port;
	host->order = rng_u64(&h->rng);
	h->n_hosts++;
}

/* Ourselves, and who is preferred no more than we are, would send the mail
 * back to us (RFC 5321 5.1).  Other names of ours show only by their
 * addresses (hops_host_add()). */
static void
cut_at_self(struct hops *h)
{
	const struct hops_host *self =
	    find_host(h, span_str(h->setup.own_name));
	size_t keep = 0;

	if (self == NULL)
		return;
	h->saw_self = true;
	while (keep < h->n_hosts &&
	    h->hosts[keep].preference < self->preference)
		keep++;
	for (size_t i = keep; i < h->n_hosts; i++)
		hops_note(h, &h->hosts[i] == self ? HOPS_WHY_OUR_NAME :
		    HOPS_WHY_BEHIND_US, &h->hosts[i], NULL, SPAN_NONE);
	h->n_hosts = keep;
}

static void
take_exchangers(struct hops *h, const struct hops_answer *a)
{
	size_t n = a->n < HOPS_RECORDS_MAX ? a->n : HOPS_RECORDS_MAX;
	size_t usable = 0;

	if (!hops_make_hosts(h, n))
		return;
	for (size_t i = 0; i < n; i++) {
		if (a->records[i].data.n == 0)
			continue;
		if (is_localhost(a->records[i].data)) {
			hops_note(h, HOPS_WHY_LOCALHOST, NULL, NULL,
			    a->records[i].data);
			continue;
		}
		usable++;
		add_exchanger(h, &a->records[i]);
	}
	/* those left out might have been hosts */
	if (usable == 0 && a->n >= HOPS_RECORDS_MAX) {
		hops_fail(h, false, STATUS(4, 4, 4), "%s has too many mail "
		    "exchangers, the first %d take no mail", h->domain,
		    HOPS_RECORDS_MAX);
		return;
	}
	if (usable == 0) {
		hops_fail(h, true, STATUS(5, 1, 10),
		    "the domain %s takes no mail (null MX)", h->domain);
		return;
	}
	qsort(h->hosts, h->n_hosts, sizeof(h->hosts[0]), compare_hosts);
	cut_at_self(h);
	h->saw_more = a->n > n || h->n_hosts > HOPS_HOSTS_MAX;
	if (h->n_hosts > HOPS_HOSTS_MAX)
		h->n_hosts = HOPS_HOSTS_MAX;
}

/* No MX at all: the domain is its own exchanger (RFC 5321 5.1).  Not so when
 * it has some and all are useless. */
static void
take_domain(struct hops *h)
{
	struct hops_host *host;

	if (!hops_make_hosts(h, 1))
		return;
	host = &h->hosts[0];
	memcpy(host->name, h->domain, sizeof(host->name));
	host->port = h->setup.targets[0].port;
	h->n_hosts = 1;
	cut_at_self(h);
}

/* Of the failures only a domain that doesn't exist is for good. */
void
hops_mx_answer(struct hops *h, const struct hops_answer *a)
{
	h->is_mx_secure = a->is_secure;
	(void)span_copy(a->canonical, h->canonical, sizeof(h->canonical));
	switch (a->found) {
	case HOPS_DATA:
		h->has_mx = true;
		take_exchangers(h, a);
		break;
	case HOPS_NO_DATA:
		take_domain(h);
		break;
	case HOPS_NO_NAME:
		hops_fail(h, true, STATUS(5, 1, 2),
		    "the domain %s does not exist", h->domain);
		break;
	case HOPS_TEMPORARY:
		hops_fail(h, false, STATUS(4, 4, 3),
		    "the mail exchangers of %s can't be looked up now: %.*s",
		    h->domain, (int)span_sub(a->text, 0, 200).n,
		    (const char *)a->text.p);
		break;
	}
}
