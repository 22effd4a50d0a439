/*
 * Mail's fate by what name servers answer: packets through dns_wire, the answer
 * of dnsd to deliverd, and the choice of hosts (T24, T25, T26, T28).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/dns/dns_wire.h"
#include "deliverd/names.h"
#include "dns_script.h"
#include "dnsd/answer.h"

#define CASES_MIN 200

static const struct route_target by_mx = {
	.scheme = CONF_SCHEME_MX, .user = "", .host = "", .port = 25,
};

static const struct endpoint own[] = {
	{ { IPADDR_4, { 192, 0, 2, 100 } }, 25 },
};

struct round {
	const struct dns_script *script;
	struct hops *hops;
	struct buf packet;
	unsigned asked;
	char tried[512];
};

static const char *
type_name(uint16_t type)
{
	return type == DNS_TYPE_A ? "A" : type == DNS_TYPE_AAAA ? "AAAA" :
	    "MX";
}

/* What comes back in the end: c-ares asks by TCP when it must, and drops what
 * has another id.  NULL with *EXISTS: nothing of the kind. */
static const struct dns_script_row *
find_row(const struct dns_script *s, const char *name, uint16_t type,
    bool *exists)
{
	const struct dns_script_row *row, *tcp;
	char kind[16];

	*exists = dns_script_has(s, name);
	row = dns_script_find(s, name, type_name(type));
	if (row == NULL || !dns_script_says(row, "tc"))
		return row;
	(void)snprintf(kind, sizeof(kind), "%s/tcp", type_name(type));
	tcp = dns_script_find(s, name, kind);
	return tcp != NULL ? tcp : row;
}

/* From a copy of its exact length, so that ASan sees a read too far. */
static enum err
parse(const struct buf *packet, const char *name, uint16_t type,
    struct dns_wire_answer *out)
{
	uint8_t *copy = malloc(packet->n > 0 ? packet->n : 1);
	enum err e;

	cr_assert_not_null(copy);
	if (packet->n > 0)
		memcpy(copy, packet->p, packet->n);
	e = dns_wire_parse(span_of(copy, packet->n), span_str(name), type,
	    out);
	free(copy);
	return e;
}

static void
answer(struct round *r, const struct hops_question *q)
{
	static struct dns_wire_answer wire;
	static const uint8_t nxdomain = 3;
	struct hops_record records[ASK_RECORDS_MAX];
	struct hops_answer a;
	struct msg_dns_answer m;
	struct buf buf;
	bool exists;
	const struct dns_script_row *row = find_row(r->script, q->name,
	    q->type, &exists);

	r->asked++;
	buf_init(&buf, 1 << 20);
	if (row != NULL && (dns_script_says(row, "silence") ||
	    dns_script_says(row, "badid"))) {
		answer_failure(DNS_TEMPORARY, "no answer in time", &m);
	} else {
		dns_script_packet(row, q->name, q->type, exists ? 0 : nxdomain,
		    &r->packet);
		if (parse(&r->packet, q->name, q->type, &wire) != OK)
			answer_failure(DNS_TEMPORARY, "no sense", &m);
		else
			answer_wire(&wire, false, &buf, &m);
	}
	names_read(q->type, &m, records, &a);
	hops_answer(r->hops, q->id, &a);
	buf_clear(&buf);
}

static void
note(struct round *r, const struct hop *hop)
{
	char text[IPADDR_TEXT_SIZE];
	size_t n = strlen(r->tried);

	(void)ipaddr_format(&hop->at.addr, text);
	(void)snprintf(r->tried + n, sizeof(r->tried) - n, "%s%s",
	    n > 0 ? " " : "", text);
}

static void
walk(struct round *r)
{
	struct hops_question questions[4];
	size_t n = 0;
	struct hop hop;

	for (int i = 0;; i++) {
		enum hops_step step = hops_next(r->hops, &questions[n], &hop);

		cr_assert_lt(i, 1000, "endless");
		if (step == HOPS_OVER)
			return;
		if (step == HOPS_ASK)
			n++;
		else if (step == HOPS_TRY)
			note(r, &hop);
		else
			while (n > 0)
				answer(r, &questions[--n]);
	}
}

/* The words of a list, in any order; a mapped address is as it is written. */
static bool
is_same_list(const char *want, const char *have)
{
	size_t n_want = 0, n_have = 0;
	char word[64];
	int used;

	for (const char *p = have; sscanf(p, "%63s%n", word, &used) == 1;
	    p += used)
		n_have++;
	for (const char *p = want; sscanf(p, "%63s%n", word, &used) == 1;
	    p += used) {
		struct ipaddr ip;
		const char *at;

		n_want++;
		cr_assert_eq(ipaddr_parse(span_str(word), &ip), OK, "%s",
		    word);
		(void)ipaddr_format(&ip, word);
		at = strstr(have, word);
		if (at == NULL)
			return false;
	}
	return n_want == n_have;
}

static bool
play(const struct dns_script *s)
{
	struct hops_setup setup = {
		.targets = &by_mx, .n_targets = 1,
		.domain = SPAN_LIT("d.example"), .has_ipv4 = true,
		.has_ipv6 = true, .refuses_private = s->refuses_private,
		.own_name = "relay.example.org", .own = own,
		.n_own = COUNT_OF(own), .seed = 1,
	};
	struct round r = { .script = s };
	struct hops_verdict v;
	char status[STATUS_SIZE];
	bool is_good;

	buf_init(&r.packet, 1 << 20);
	cr_assert_eq(hops_new(&setup, &r.hops), OK);
	walk(&r);
	hops_verdict(r.hops, &v);
	(void)status_format(v.status, status);
	is_good = v.is_permanent == s->is_permanent &&
	    strcmp(status, s->status) == 0 &&
	    is_same_list(s->tries, r.tried) &&
	    r.asked <= 1 + 2 * HOPS_HOSTS_MAX;
	if (!is_good)
		fprintf(stderr, "answers.txt:%d: %s: is %s %s, tried [%s], "
		    "asked %u: %s\n", s->line, s->name,
		    v.is_permanent ? "failed" : "deferred", status, r.tried,
		    r.asked, v.text);
	hops_free(&r.hops);
	buf_clear(&r.packet);
	return is_good;
}

Test(dns_verdicts, answers)
{
	const char *source = getenv("MTAD_SOURCE");
	struct dns_script script;
	unsigned count = 0, bad = 0;
	char path[1024];
	FILE *file;
	int line = 0;

	(void)snprintf(path, sizeof(path), "%s/tests/replay/dns/answers.txt",
	    source != NULL ? source : ".");
	file = fopen(path, "r");
	cr_assert_not_null(file, "%s", path);
	while (dns_script_next(file, &line, &script)) {
		cr_expect_neq(script.status[0], '\0', "%s", script.name);
		count++;
		bad += !play(&script);
		dns_script_clear(&script);
	}
	(void)fclose(file);
	cr_expect_geq(count, CASES_MIN, "only %u cases", count);
	cr_assert_eq(bad, 0, "%u of %u cases", bad, count);
}
