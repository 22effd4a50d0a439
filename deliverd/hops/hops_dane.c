/*
 * What a host publishes by DANE: RFC 7672 2.2.
 *
 * The names that lead to it must be secure all the way, or whoever forges them
 * would be believed; where they are not, nothing is asked, so that the name
 * servers of an unsigned zone, which may know no TLSA, stop no mail (2.1.3).
 * Behind secure names a question without an answer is an attack until it is
 * answered (2.1.2).
 *
 * A host that is an alias has two candidates, the name behind the alias first
 * (2.2.2).  Where only the alias itself is signed, and not what it leads to,
 * only its own name is one; that takes a question more, for the CNAME alone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "deliverd/hops/hops_state.h"

/* The answer's limits, again: it comes from another process. */
#define RECORDS_MAX	100
#define BYTES_MAX	((size_t)16 * 1024)

static enum hops_step
conclude(struct hops_host *host, enum hop_dane_state state,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum hops_step
conclude(struct hops_host *host, enum hop_dane_state state,
    const char *format, ...)
{
	va_list args;

	host->dane_step = HOPS_DANE_OVER;
	host->dane->state = state;
	va_start(args, format);
	(void)vsnprintf(host->dane->why, sizeof(host->dane->why), format,
	    args);
	va_end(args);
	return HOPS_TRY;
}

static bool
is_alias(const struct hops_host *host)
{
	return host->canonical[0] != '\0';
}

/* The base domain is the candidate that is being asked for. */
static const char *
candidate(const struct hops_host *host)
{
	return host->dane_step == HOPS_DANE_EXPANDED ? host->canonical :
	    host->name;
}

/* False when such a name would be too long: then nobody can have published
 * anything there. */
static bool
put_question(struct hops *h, struct hops_host *host, struct hops_question *q)
{
	const bool is_tlsa = host->dane_step != HOPS_DANE_ALIAS;
	int n;

	if (is_tlsa)
		n = snprintf(h->question, sizeof(h->question), "_%u._tcp.%s",
		    host->port, candidate(host));
	else
		n = snprintf(h->question, sizeof(h->question), "%s",
		    host->name);
	if (n < 0 || (size_t)n >= sizeof(h->question))
		return false;
	host->dane_ask = HOPS_ASKED;
	*q = (struct hops_question){
		.id = HOPS_ID_HOSTS + HOPS_KIND_DANE +
		    HOPS_KINDS * (uint32_t)(host - h->hosts),
		.type = is_tlsa ? DNS_TYPE_TLSA : DNS_TYPE_CNAME,
		.name = h->question,
	};
	return true;
}

/* Without memory nothing is known, which is not the same as nothing. */
static enum hops_step
begin(struct hops *h, struct hops_host *host)
{
	if (!h->setup.wants_dane ||
	    host->n_found[HOPS_V4] + host->n_found[HOPS_V6] == 0) {
		host->dane_step = HOPS_DANE_OVER;
		return HOPS_TRY;
	}
	host->dane = calloc(1, sizeof(*host->dane));
	if (host->dane == NULL) {
		hops_fail(h, false, STATUS(4, 3, 0), "out of memory");
		return HOPS_OVER;
	}
	host->dane->base = "";
	for (size_t i = 0; i < HOP_DANE_NAMES; i++)
		host->dane->names[i] = "";
	if (host->is_literal)
		return conclude(host, HOP_DANE_NONE,
		    "it has an address for a name");
	if (h->has_mx && !h->is_mx_secure)
		return conclude(host, HOP_DANE_NONE, "the mail exchangers of "
		    "%s are not signed, or not validated", h->domain);
	if (host->saw_secure && !host->saw_insecure)
		host->dane_step = is_alias(host) ? HOPS_DANE_EXPANDED :
		    HOPS_DANE_NAME;
	else if (is_alias(host))
		host->dane_step = HOPS_DANE_ALIAS;
	else
		return conclude(host, HOP_DANE_NONE, "its addresses are not "
		    "signed, or not validated");
	return HOPS_ASK;
}

/* The next candidate, or none is left. */
static void
go_on(struct hops_host *host)
{
	if (host->dane_step == HOPS_DANE_EXPANDED)
		host->dane_step = HOPS_DANE_NAME;
	else
		(void)conclude(host, HOP_DANE_NONE,
		    "it publishes no TLSA records");
}

enum hops_step
hops_dane_ask(struct hops *h, struct hops_host *host,
    struct hops_question *q)
{
	if (host->dane_step == HOPS_DANE_BEGIN) {
		enum hops_step step = begin(h, host);

		if (step != HOPS_ASK)
			return step;
	}
	if (host->dane_ask == HOPS_ASKED)
		return HOPS_AWAIT;
	while (host->dane_step != HOPS_DANE_OVER) {
		if (put_question(h, host, q))
			return HOPS_ASK;
		go_on(host);
	}
	return HOPS_TRY;
}

/* ---- records ---- */

static struct dns_tlsa
read_record(const struct hops_record *r)
{
	return (struct dns_tlsa){
		.usage = r->usage, .selector = r->selector,
		.matching = r->matching, .data = r->data,
	};
}

/* Facts, records and their data become one block: host->dane anew. */
static bool
keep(struct hops_host *host, const struct hops_answer *a, size_t n,
    size_t bytes)
{
	struct hop_dane *dane = calloc(1, sizeof(*dane) +
	    n * sizeof(struct dns_tlsa) + bytes);
	struct dns_tlsa *records = (void *)(dane + 1);
	uint8_t *data;

	if (dane == NULL)
		return false;
	*dane = *host->dane;
	data = (void *)(records + n);
	for (size_t i = 0; i < a->n; i++) {
		struct dns_tlsa r = read_record(&a->records[i]);

		if (!dns_tlsa_is_usable(&r))
			continue;
		memcpy(data, r.data.p, r.data.n);
		r.data.p = data;
		data += r.data.n;
		records[dane->n++] = r;
	}
	dane->records = records;
	free(host->dane);
	host->dane = dane;
	return true;
}

/* RFC 7672 3.2.2: the domain that the mail is for may be named, too, as it was
 * and behind its aliases, since only secure ways led here. */
static void
set_names(const struct hops *h, struct hops_host *host)
{
	struct hop_dane *dane = host->dane;

	dane->base = candidate(host);
	dane->names[0] = h->is_mx ? h->domain : host->name;
	if (h->has_mx)
		dane->names[1] = h->canonical;
	/* without an MX, the domain is the host */
	else if (is_alias(host) && host->saw_secure && !host->saw_insecure)
		dane->names[1] = host->canonical;
}

/* Records of which none is usable still say that there is TLS (2.2). */
static void
take_records(struct hops *h, struct hops_host *host,
    const struct hops_answer *a)
{
	size_t n = 0, bytes = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct dns_tlsa r = read_record(&a->records[i]);

		if (!dns_tlsa_is_usable(&r))
			continue;
		n++;
		bytes += r.data.n;
	}
	if (n > RECORDS_MAX || bytes > BYTES_MAX || !keep(host, a, n, bytes)) {
		(void)conclude(host, HOP_DANE_FAILED,
		    "the TLSA records of %s take too much memory",
		    candidate(host));
		return;
	}
	set_names(h, host);
	(void)conclude(host, n > 0 ? HOP_DANE_USABLE : HOP_DANE_UNUSABLE,
	    "%s", "");
}

void
hops_dane_answer(struct hops *h, struct hops_host *host,
    const struct hops_answer *a)
{
	host->dane_ask = HOPS_ANSWERED;
	if (a->found == HOPS_TEMPORARY) {
		(void)conclude(host, HOP_DANE_FAILED, "what the host "
		    "publishes by DANE can't be looked up now (%s): %.*s",
		    h->question, (int)span_sub(a->text, 0, 100).n,
		    a->text.n > 0 ? (const char *)a->text.p : "");
	} else if (host->dane_step == HOPS_DANE_ALIAS) {
		if (a->found == HOPS_DATA && a->is_secure)
			host->dane_step = HOPS_DANE_NAME;
		else
			(void)conclude(host, HOP_DANE_NONE, "its addresses "
			    "are not signed, or not validated");
	} else if (a->found == HOPS_DATA && a->is_secure) {
		take_records(h, host, a);
	} else {
		go_on(host);
	}
}
