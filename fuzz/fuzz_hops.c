/*
 * Answers of the name service in any order and of any kind.  Whatever they
 * say, a round ends; and what a host has published counts only where secure
 * names led to it (DANE-01, DANE-02).
 */
#include "common/base/check.h"
#include "common/dns/dns_wire.h"
#include "deliverd/hops/hops.h"
#include "deliverd/hops/hops_race.h"

#include <string.h>

#define STEPS_MAX	5000
#define OPEN_MAX	128	/* one of a host may be left open */
#define RECORDS_MAX	12

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What is left of the input; zeros behind its end. */
struct feed {
	const uint8_t *p;
	size_t n;
};

/* What was said so far, for the host in turn. */
struct truth {
	bool is_mx_bad;		/* an MX that was not secure */
	bool is_address_bad;
	bool is_alias_good;
	char host[DNS_NAME_SIZE];
};

static unsigned
take(struct feed *f)
{
	if (f->n == 0)
		return 0;
	f->n--;
	return *f->p++;
}

static const char *const words[] = {
	"d.example", "mx1.example", "mx2.example", "mx3.example",
	"self.example", "a.b.example", "localhost", "",
};

static struct span
word(struct feed *f)
{
	return span_str(words[take(f) % COUNT_OF(words)]);
}

static void
fill(struct feed *f, uint16_t type, struct hops_record *r)
{
	static const uint8_t octets[20000] = { 192, 0, 2, 1 };

	*r = (struct hops_record){ .preference = (uint16_t)take(f) };
	switch (type) {
	case DNS_TYPE_MX:
	case DNS_TYPE_CNAME:
		r->data = word(f);
		break;
	case DNS_TYPE_TLSA:
		r->usage = (uint8_t)(take(f) % 5);
		r->selector = (uint8_t)(take(f) % 3);
		r->matching = (uint8_t)(take(f) % 4);
		r->data = span_of(octets, take(f) % 4 == 0 ? take(f) * 70 :
		    r->matching == 2 ? 64 : 32);
		break;
	default:
		r->data = span_of(octets, take(f) % 8 == 0 ? take(f) :
		    type == DNS_TYPE_A ? 4 : 16);
	}
}

/* The id may be another one's, or nobody's. */
static void
answer(struct feed *f, struct hops *h, const struct hops_question *q,
    struct truth *t)
{
	struct hops_record records[RECORDS_MAX];
	struct hops_answer a = { .records = records };
	unsigned kind = take(f);

	a.found = kind % 4;
	a.is_secure = (kind & 16) != 0;
	a.canonical = (kind & 32) != 0 ? word(f) : span_str(q->name);
	a.text = SPAN_LIT("reason");
	a.n = a.found == HOPS_DATA ? take(f) % RECORDS_MAX + 1 : 0;
	for (size_t i = 0; i < a.n; i++)
		fill(f, q->type, &records[i]);
	if (kind >= 224) {
		hops_answer(h, kind - 224, &(struct hops_answer){
		    .found = HOPS_TEMPORARY });
		t->is_mx_bad = t->is_address_bad = false;
		t->is_alias_good = true;	/* not known any more */
	}
	if (a.found == HOPS_DATA && q->type == DNS_TYPE_MX)
		t->is_mx_bad = !a.is_secure;
	else if (a.found == HOPS_DATA && q->type == DNS_TYPE_CNAME)
		t->is_alias_good = a.is_secure;
	else if (a.found == HOPS_DATA && q->type != DNS_TYPE_TLSA)
		t->is_address_bad = t->is_address_bad || !a.is_secure;
	hops_answer(h, q->id, &a);
	if ((kind & 64) != 0 && hops_hurry(h))
		t->is_alias_good = true;	/* the others may come late */
}

/* A question for the addresses begins another host. */
static void
check_question(const struct hops_question *q, struct truth *t)
{
	if ((q->type == DNS_TYPE_A || q->type == DNS_TYPE_AAAA) &&
	    strcmp(t->host, q->name) != 0) {
		t->is_address_bad = t->is_alias_good = false;
		(void)span_copy(span_str(q->name), t->host, sizeof(t->host));
	}
	if (q->type == DNS_TYPE_TLSA)
		MUST(!t->is_mx_bad && (!t->is_address_bad ||
		    t->is_alias_good));
}

static void
check_hop(const struct hop *hop)
{
	const struct hop_dane *d = hop->dane;

	MUST((d->state == HOP_DANE_USABLE) == (d->n > 0));
	MUST((d->base[0] != '\0') == (d->state >= HOP_DANE_UNUSABLE));
	for (size_t i = 0; i < d->n; i++)
		MUST(dns_tlsa_is_usable(&d->records[i]));
}

static void
walk(struct feed *f, struct hops *h)
{
	struct hops_question open[OPEN_MAX];
	struct truth t = { .host = "" };
	size_t n = 0;
	struct hop hop;
	unsigned how;

	for (unsigned i = 0; i < STEPS_MAX; i++) {
		switch (hops_next(h, &open[n], &hop)) {
		case HOPS_ASK:
			check_question(&open[n], &t);
			n++;
			MUST(n < OPEN_MAX);
			break;
		case HOPS_AWAIT:
			MUST(n > 0);
			n--;
			answer(f, h, &open[n], &t);
			break;
		case HOPS_TRY:
			check_hop(&hop);
			how = take(f) % 4;
			if (how == 0)
				hops_skip(h);
			else if (how == 1 && hops_beside(h, &hop))
				check_hop(&hop);
			break;
		case HOPS_OVER:
			return;
		}
	}
	MUST(false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct route_target by_mx = {
		.scheme = CONF_SCHEME_MX, .user = "", .host = "", .port = 25,
	};
	struct feed f = { p, n };
	unsigned flags = take(&f);
	const struct hops_setup setup = {
		.targets = &by_mx, .n_targets = 1,
		.domain = SPAN_LIT("d.example"), .has_ipv4 = true,
		.has_ipv6 = (flags & 1) != 0, .lacks_ipv6 = (flags & 2) != 0,
		.may_loopback = (flags & 4) != 0, .wants_dane = true,
		.own_name = "self.example", .seed = flags,
	};
	struct hops_verdict verdict;
	struct hops *h = NULL;

	if (hops_new(&setup, &h) != OK)
		return 0;
	walk(&f, h);
	MUST(hops_tried(h) <= HOPS_TRIED_MAX);
	hops_verdict(h, &verdict);
	hops_free(&h);
	return 0;
}
