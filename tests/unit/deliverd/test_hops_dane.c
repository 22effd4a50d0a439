/*
 * What is asked for, and found, about a host's DANE: DANE-01, DANE-02, DANE-03,
 * DANE-04, DANE-06, DANE-09, DANE-10.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/dns/dns_wire.h"
#include "deliverd/hops/hops.h"

/*
 * A zone: "NAME TYPE DATA" a row; a + before the name: signed.  DATA is
 * SERVFAIL; of an MX, a host; of a TLSA, "usage selector matching length"s with
 * commas between.  Names with a CNAME are followed; an answer is as secure as
 * the least of the rows that led to it.
 */
struct zone {
	const char *rows[16];
};

/* What came of the hosts: "host=state/records base names" each; and all that
 * was asked for behind the addresses: "type name". */
struct seen {
	char hosts[1024];
	char asked[1024];
};

static const struct route_target by_mx = {
	.scheme = CONF_SCHEME_MX, .user = "", .host = "", .port = 25,
};

static const char *
type_name(uint16_t type)
{
	switch (type) {
	case DNS_TYPE_A: return "A";
	case DNS_TYPE_MX: return "MX";
	case DNS_TYPE_TLSA: return "TLSA";
	case DNS_TYPE_CNAME: return "CNAME";
	default: return "AAAA";
	}
}

/* The data behind "NAME TYPE ", or NULL. */
static const char *
find(const struct zone *z, const char *name, const char *type,
    bool *is_secure)
{
	char want[300];
	int n = snprintf(want, sizeof(want), "%s %s ", name, type);

	for (size_t i = 0; i < COUNT_OF(z->rows) && z->rows[i] != NULL; i++) {
		const char *row = z->rows[i];
		bool is_signed = *row == '+';

		if (strncmp(row + is_signed, want, (size_t)n) != 0)
			continue;
		*is_secure = *is_secure && is_signed;
		return row + is_signed + n;
	}
	return NULL;
}

static size_t
make_tlsas(const char *data, struct hops_record *records)
{
	static const uint8_t octets[20000];
	size_t n = 0;

	for (; data != NULL && *data != '\0'; n++) {
		unsigned usage, selector, matching, length;

		cr_assert_eq(sscanf(data, "%u %u %u %u", &usage, &selector,
		    &matching, &length), 4, "%s", data);
		records[n] = (struct hops_record){
			.usage = (uint8_t)usage,
			.selector = (uint8_t)selector,
			.matching = (uint8_t)matching,
			.data = span_of(octets, length),
		};
		data = strchr(data, ',');
		data += data != NULL;
	}
	return n;
}

static void
answer(const struct zone *z, struct hops *h, const struct hops_question *q)
{
	static const uint8_t address[4] = { 192, 0, 2, 1 };
	struct hops_record records[128] = { { .preference = 1 } };
	struct hops_answer a = {
		.found = HOPS_NO_DATA, .records = records, .is_secure = true,
	};
	const char *name = q->name, *alias, *data;

	while (q->type != DNS_TYPE_CNAME &&
	    (alias = find(z, name, "CNAME", &a.is_secure)) != NULL)
		name = alias;
	data = find(z, name, type_name(q->type), &a.is_secure);
	a.canonical = span_str(name);
	if (data != NULL && strcmp(data, "SERVFAIL") == 0) {
		a.found = HOPS_TEMPORARY;
		a.text = SPAN_LIT("SERVFAIL");
	} else if (data != NULL) {
		a.found = HOPS_DATA;
		a.n = 1;
		records[0].data = q->type == DNS_TYPE_A ?
		    span_of(address, 4) : span_str(data);
		if (q->type == DNS_TYPE_TLSA)
			a.n = make_tlsas(data, records);
	}
	hops_answer(h, q->id, &a);
}

static void
see(struct seen *s, const struct hop *hop)
{
	static const char *const states[] = {
		[HOP_DANE_NONE] = "none", [HOP_DANE_FAILED] = "failed",
		[HOP_DANE_UNUSABLE] = "unusable", [HOP_DANE_USABLE] = "usable",
	};
	const struct hop_dane *d = hop->dane;
	size_t n = strlen(s->hosts);

	(void)snprintf(s->hosts + n, sizeof(s->hosts) - n,
	    "%s%s=%s/%zu %s:%s,%s", n > 0 ? " " : "", hop->host,
	    states[d->state], d->n, d->base, d->names[0], d->names[1]);
	for (size_t i = 0; i < d->n; i++)
		cr_assert(dns_tlsa_is_usable(&d->records[i]));
	/* for people: why it is none, or what failed */
	cr_assert_eq(d->why[0] != '\0', d->n == 0 &&
	    d->state != HOP_DANE_UNUSABLE, "%s", d->why);
}

static void
walk(const struct zone *z, const struct hops_setup *setup, struct seen *s)
{
	struct hops_question q;
	struct hops *h = NULL;
	struct hop hop;

	memset(s, 0, sizeof(*s));
	cr_assert_eq(hops_new(setup, &h), OK);
	for (int i = 0; i < 1000; i++) {
		enum hops_step step = hops_next(h, &q, &hop);

		if (step == HOPS_OVER)
			break;
		cr_assert_neq(step, HOPS_AWAIT);
		if (step == HOPS_TRY) {
			see(s, &hop);
			continue;
		}
		if (q.type == DNS_TYPE_TLSA || q.type == DNS_TYPE_CNAME) {
			size_t n = strlen(s->asked);

			(void)snprintf(s->asked + n, sizeof(s->asked) - n,
			    "%s%s %s", n > 0 ? ", " : "", type_name(q.type),
			    q.name);
		}
		answer(z, h, &q);
	}
	hops_free(&h);
}

static struct hops_setup
setup_of(const struct route_target *target)
{
	return (struct hops_setup){
		.targets = target, .n_targets = 1,
		.domain = SPAN_LIT("d.example"), .has_ipv4 = true,
		.own_name = "self.example", .seed = 1, .wants_dane = true,
	};
}

struct row {
	const char *what;
	struct zone zone;
	const char *hosts;
	const char *asked;
};

#define MX	"+d.example MX mx.example"
#define A	"+mx.example A x"
#define GOOD	"3 1 1 32"
#define TLSA(data) "+_25._tcp.mx.example TLSA " data
#define ASKED	"TLSA _25._tcp.mx.example"
#define NONE(host) host "=none/0 :,"
#define USABLE(n) "mx.example=usable/" n " mx.example:d.example,d.example"
#define UNUSABLE "mx.example=unusable/0 mx.example:d.example,d.example"

static const struct row rows[] = {
	{ "one record", { { MX, A, TLSA(GOOD) } }, USABLE("1"), ASKED },
	{ "roll-over", { { MX, A, TLSA("3 1 1 32,2 0 2 64,3 0 0 900") } },
	    USABLE("3"), ASKED },
	{ "DANE-01: unsigned MX",
	    { { "d.example MX mx.example", A, TLSA(GOOD) } },
	    NONE("mx.example"), "" },
	{ "DANE-01, DANE-10: unsigned address",
	    { { MX, "mx.example A x",
	    "_25._tcp.mx.example TLSA SERVFAIL" } },
	    NONE("mx.example"), "" },
	{ "none published", { { MX, A } }, NONE("mx.example"), ASKED },
	{ "unsigned records",
	    { { MX, A, "_25._tcp.mx.example TLSA " GOOD } },
	    NONE("mx.example"), ASKED },
	{ "DANE-02", { { MX, A, TLSA("SERVFAIL") } },
	    "mx.example=failed/0 :,", ASKED },
	{ "DANE-04", { { MX, A, TLSA("0 1 1 32,1 0 1 32") } }, UNUSABLE,
	    ASKED },
	{ "DANE-04: the others are left out",
	    { { MX, A, TLSA("0 1 1 32," GOOD ",1 0 1 32") } }, USABLE("1"),
	    ASKED },
	{ "DANE-03, DANE-09: malformed ones",
	    { { MX, A, TLSA("255 0 0 0,3 1 1 31,3 1 2 0,3 0 0 0,3 2 1 32,"
	    "3 1 9 32") } }, UNUSABLE, ASKED },
	{ "DANE-09: a huge one", { { MX, A, TLSA("3 0 0 16000") } },
	    USABLE("1"), ASKED },
	{ "DANE-09: too much", { { MX, A, TLSA("3 0 0 16000,3 0 0 16000") } },
	    "mx.example=failed/0 :,", ASKED },
	{ "an alias: behind it first",
	    { { MX, "+mx.example CNAME real.example", "+real.example A x",
	    "+_25._tcp.real.example TLSA " GOOD, TLSA("0 0 1 32") } },
	    "mx.example=usable/1 real.example:d.example,d.example",
	    "TLSA _25._tcp.real.example" },
	{ "an alias: then itself",
	    { { MX, "+mx.example CNAME real.example", "+real.example A x",
	    TLSA(GOOD) } },
	    "mx.example=usable/1 mx.example:d.example,d.example",
	    "TLSA _25._tcp.real.example, " ASKED },
	{ "an alias: not after a failure",
	    { { MX, "+mx.example CNAME real.example", "+real.example A x",
	    "+_25._tcp.real.example TLSA SERVFAIL", TLSA(GOOD) } },
	    "mx.example=failed/0 :,", "TLSA _25._tcp.real.example" },
	{ "a signed alias of what is not signed",
	    { { MX, "+mx.example CNAME real.example", "real.example A x",
	    "_25._tcp.real.example TLSA SERVFAIL", TLSA(GOOD) } },
	    USABLE("1"), "CNAME mx.example, " ASKED },
	{ "an unsigned alias",
	    { { MX, "mx.example CNAME real.example", "+real.example A x",
	    "+_25._tcp.real.example TLSA " GOOD } },
	    NONE("mx.example"), "CNAME mx.example" },
	{ "records behind an alias",
	    { { MX, A, "+_25._tcp.mx.example CNAME tlsa.example",
	    "+tlsa.example TLSA " GOOD } }, USABLE("1"), ASKED },
	{ "the domain is an alias",
	    { { "+d.example CNAME e.example", "+e.example MX mx.example", A,
	    TLSA(GOOD) } },
	    "mx.example=usable/1 mx.example:d.example,e.example", ASKED },
	{ "the domain is an unsigned alias",
	    { { "d.example CNAME e.example", "+e.example MX mx.example", A,
	    TLSA(GOOD) } }, NONE("mx.example"), "" },
	{ "no MX",
	    { { "+d.example A x", "+_25._tcp.d.example TLSA " GOOD } },
	    "d.example=usable/1 d.example:d.example,",
	    "TLSA _25._tcp.d.example" },
	{ "no MX, and an alias",
	    { { "+d.example CNAME e.example", "+e.example A x",
	    "+_25._tcp.d.example TLSA " GOOD } },
	    "d.example=usable/1 d.example:d.example,e.example",
	    "TLSA _25._tcp.e.example, TLSA _25._tcp.d.example" },
	{ "no address: nothing is asked", { { MX } }, "", "" },
};

Test(hops_dane, by_mx)
{
	const struct hops_setup setup = setup_of(&by_mx);
	struct seen s;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		walk(&rows[i].zone, &setup, &s);
		cr_expect_str_eq(s.hosts, rows[i].hosts, "%s: %s",
		    rows[i].what, s.hosts);
		cr_expect_str_eq(s.asked, rows[i].asked, "%s: %s",
		    rows[i].what, s.asked);
	}
}

/* A host that the administrator named: its port and its names, whatever the
 * domain. */
Test(hops_dane, by_route)
{
	static const struct row named[] = {
		{ "signed", { { A, "+_587._tcp.mx.example TLSA " GOOD } },
		    "mx.example=usable/1 mx.example:mx.example,",
		    "TLSA _587._tcp.mx.example" },
		{ "not signed", { { "mx.example A x",
		    "_587._tcp.mx.example TLSA SERVFAIL" } },
		    NONE("mx.example"), "" },
	};
	static const struct route_target target = {
		.scheme = CONF_SCHEME_SMTP, .user = "", .host = "mx.example",
		.port = 587,
	};
	const struct hops_setup setup = setup_of(&target);
	struct seen s;

	for (size_t i = 0; i < COUNT_OF(named); i++) {
		walk(&named[i].zone, &setup, &s);
		cr_expect_str_eq(s.hosts, named[i].hosts, "%s: %s",
		    named[i].what, s.hosts);
		cr_expect_str_eq(s.asked, named[i].asked, "%s: %s",
		    named[i].what, s.asked);
	}
}

/* Nothing is asked for who does not want to know. */
Test(hops_dane, not_wanted)
{
	static const struct zone zone = { { MX, A, TLSA("SERVFAIL") } };
	struct hops_setup setup = setup_of(&by_mx);
	struct hops_question q;
	struct hops *h = NULL;
	struct hop hop;
	enum hops_step step;

	setup.wants_dane = false;
	cr_assert_eq(hops_new(&setup, &h), OK);
	while ((step = hops_next(h, &q, &hop)) == HOPS_ASK) {
		cr_expect_neq(q.type, DNS_TYPE_TLSA);
		answer(&zone, h, &q);
	}
	cr_assert_eq(step, HOPS_TRY);
	cr_expect_eq(hop.dane->state, HOP_DANE_NONE);
	hops_free(&h);
}

/* An address has no name that anything could be published at. */
Test(hops_dane, literals)
{
	static const struct zone zone = { { NULL } };
	struct hops_setup setup = setup_of(&by_mx);
	struct seen s;

	setup.domain = SPAN_LIT("[192.0.2.7]");
	walk(&zone, &setup, &s);
	cr_expect_str_eq(s.hosts, NONE("[192.0.2.7]"));
	cr_expect_str_eq(s.asked, "");
}

/* The name of the question would be too long: nobody has published there. */
Test(hops_dane, long_names)
{
	static char rows_of[2][600];
	struct zone zone = { { rows_of[0], rows_of[1] } };
	struct hops_setup setup = setup_of(&by_mx);
	char name[DNS_NAME_SIZE] = "";
	struct seen s;

	while (strlen(name) < 248)
		strcat(name, "abcdefg.");
	strcat(name, "x");
	(void)snprintf(rows_of[0], 600, "+d.example MX %s", name);
	(void)snprintf(rows_of[1], 600, "+%s A x", name);
	walk(&zone, &setup, &s);
	cr_expect_neq(strstr(s.hosts, "=none/0"), NULL, "%s", s.hosts);
	cr_expect_str_eq(s.asked, "");
}

/* One that is skipped gives no other address, and the next has its turn. */
Test(hops_dane, skipped)
{
	static const struct route_target targets[] = {
		{ .scheme = CONF_SCHEME_SMTP, .user = "", .host = "a.example",
		    .port = 25 },
		{ .scheme = CONF_SCHEME_SMTP, .user = "", .host = "b.example",
		    .port = 25 },
	};
	static const struct zone zone = { { "a.example A x",
	    "b.example A x" } };
	struct hops_setup setup = setup_of(targets);
	struct hops_question q;
	struct hops *h = NULL;
	struct hop hop;

	setup.n_targets = 2;
	cr_assert_eq(hops_new(&setup, &h), OK);
	while (hops_next(h, &q, &hop) == HOPS_ASK)
		answer(&zone, h, &q);
	cr_expect_str_eq(hop.host, "a.example");
	hops_skip(h);
	while (hops_next(h, &q, &hop) == HOPS_ASK)
		answer(&zone, h, &q);
	cr_expect_str_eq(hop.host, "b.example");
	hops_skip(h);
	cr_expect_eq(hops_next(h, &q, &hop), HOPS_OVER);
	cr_expect_eq(hops_tried(h), 2);
	hops_free(&h);
}

/* An answer twice, or to a question of another time, changes nothing. */
Test(hops_dane, answers_without_a_question)
{
	static const struct zone zone = { { MX, A, TLSA(GOOD) } };
	const struct hops_setup setup = setup_of(&by_mx);
	const struct hops_answer failure = { .found = HOPS_TEMPORARY };
	struct hops_question q;
	struct hops *h = NULL;
	struct hop hop;

	cr_assert_eq(hops_new(&setup, &h), OK);
	for (uint32_t id = 0; id < 20; id++)
		hops_answer(h, id, &failure);
	while (hops_next(h, &q, &hop) == HOPS_ASK) {
		for (uint32_t id = q.id + 1; id < 20; id++)
			hops_answer(h, id, &failure);
		answer(&zone, h, &q);
		for (uint32_t id = 0; id < 20; id++)
			hops_answer(h, id, &failure);
	}
	cr_expect_eq(hop.dane->state, HOP_DANE_USABLE);
	hops_free(&h);
}
