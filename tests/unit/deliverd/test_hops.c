/*
 * The choice of hosts, with a name service that is a table.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/dns/dns_wire.h"
#include "deliverd/hops/hops_race.h"
#include "tests/unit/deliverd/hops_world.h"

static void
note_group(struct world *w, const struct hops *h)
{
	struct buf group;

	buf_init(&group, HOPS_GROUP_MAX);
	hops_group(h, &group);
	cr_assert(span_copy(buf_span(&group), w->group, sizeof(w->group)));
	cr_assert_not(buf_failed(&group));
	buf_clear(&group);
}

/* One round in which no host can be reached. */
static void
walk(struct world *w, const struct hops_setup *setup)
{
	struct hops *h = NULL;
	struct hops_question questions[4];
	size_t n_questions = 0;
	struct hop hop;

	cr_assert_eq(hops_new(setup, &h), OK);
	w->log[0] = '\0';
	for (int i = 0; i < 1000; i++) {
		char text[ENDPOINT_TEXT_SIZE];
		enum hops_step step = hops_next(h, &questions[n_questions],
		    &hop);

		if (step == HOPS_OVER)
			break;
		if (step == HOPS_ASK) {
			n_questions++;
		} else if (step == HOPS_AWAIT) {
			cr_assert_gt(n_questions, 0);
			while (n_questions > 0)
				world_answer(w, h, &questions[--n_questions]);
		} else {
			(void)endpoint_format(&hop.at, text);
			if (hop.is_unix)
				(void)snprintf(text, sizeof(text), "%s",
				    hop.host);
			if (w->log[0] != '\0')
				strcat(w->log, " ");
			strcat(w->log, text);
		}
		cr_assert_lt(i, 999, "endless");
	}
	hops_verdict(h, &w->verdict);
	note_group(w, h);
	hops_free(&h);
}

static const char *
walk_mx(struct world *w, const char *domain)
{
	struct hops_setup setup = world_setup(&world_by_mx, 1, domain);

	walk(w, &setup);
	return w->log;
}

static void
check_verdict(const struct world *w, bool is_permanent, const char *status)
{
	char text[STATUS_SIZE];

	(void)status_format(w->verdict.status, text);
	cr_assert_str_eq(text, status, "%s", w->verdict.text);
	cr_assert_eq(w->verdict.is_permanent, is_permanent, "%s",
	    w->verdict.text);
}

/* C5321-17, C5321-20: MX first, by preference */
Test(hops, preference)
{
	static const char *const names[] = {
		"d.example MX 20 m2.example,10 m1.example,30 m3.example",
		"d.example A 192.0.2.99",
		"m1.example A 192.0.2.1", "m2.example A 192.0.2.2",
		"m3.example AAAA 2001:db8::3", NULL,
	};
	struct world w = { .names = names };

	cr_assert_str_eq(walk_mx(&w, "d.example"),
	    "192.0.2.1:25 192.0.2.2:25 [2001:db8::3]:25");
	check_verdict(&w, false, "4.4.1");
}

/* Who is behind a domain: its best exchangers, in whatever order and case. */
Test(hops, group)
{
	static const char *const names[] = {
		"a.example MX 20 b.example,10 M2.example,10 m1.example",
		"b.example MX 5 m1.example,5 m2.Example,9 c.example",
		"own.example A 192.0.2.1", "none.example MX NXDOMAIN", NULL,
	};
	static const struct route_target host = {
		.scheme = CONF_SCHEME_SMTP, .user = "", .port = 25,
		.host = "relay.example",
	};
	struct hops_setup setup = world_setup(&host, 1, "a.example");
	struct world w = { .names = names };

	(void)walk_mx(&w, "a.example");
	cr_assert_str_eq(w.group, "m1.example,m2.example");
	(void)walk_mx(&w, "b.example");
	cr_assert_str_eq(w.group, "m1.example,m2.example");
	(void)walk_mx(&w, "own.example");
	cr_assert_str_eq(w.group, "");
	(void)walk_mx(&w, "none.example");
	cr_assert_str_eq(w.group, "");
	(void)walk_mx(&w, "[192.0.2.1]");
	cr_assert_str_eq(w.group, "");
	walk(&w, &setup);
	cr_assert_str_eq(w.group, "");
}

/* As many as a name has room for. */
Test(hops, group_of_very_many)
{
	char row[12000] = "d.example MX ";
	const char *const names[] = { row, NULL };
	struct world w = { .names = names };

	for (int i = 0; i < 40; i++)
		(void)snprintf(row + strlen(row), sizeof(row) - strlen(row),
		    "%s10 %060d.%060d.%060d.example", i > 0 ? "," : "", i, i,
		    i);
	(void)walk_mx(&w, "d.example");
	cr_assert_gt(strlen(w.group), HOPS_GROUP_MAX - 200u);
}

/* C5321-20: equal ones take turns: 35-65 % of 400 */
Test(hops, equal_preference)
{
	static const char *const names[] = {
		"d.example MX 10 m1.example,10 m2.example",
		"m1.example A 192.0.2.1", "m2.example A 192.0.2.2", NULL,
	};
	struct world w = { .names = names };
	int first = 0;

	for (uint64_t seed = 0; seed < 400; seed++) {
		struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");

		setup.seed = seed;
		walk(&w, &setup);
		first += strncmp(w.log, "192.0.2.1:", 10) == 0;
	}
	cr_assert(first > 140 && first < 260, "%d of 400", first);
}

/* C5321-17: the domain's own addresses when there is no MX */
Test(hops, no_mx)
{
	static const char *const names[] = {
		"d.example A 192.0.2.1", "d.example AAAA 2001:db8::1", NULL,
	};
	struct world w = { .names = names };

	cr_assert_str_eq(walk_mx(&w, "d.example"),
	    "192.0.2.1:25 [2001:db8::1]:25");
}

/* C5321-24: an exchanger without address is no reason to try the domain */
Test(hops, useless_mx)
{
	static const char *const names[] = {
		"d.example MX 10 gone.example", "d.example A 192.0.2.1",
		"gone.example A NXDOMAIN", "gone.example AAAA NXDOMAIN", NULL,
	};
	struct world w = { .names = names };

	cr_assert_str_eq(walk_mx(&w, "d.example"), "");
	check_verdict(&w, true, "5.4.4");
}

/* C5321-18, C5321-19, T28 */
Test(hops, failures)
{
	static const char *const names[] = {
		"none.example MX NXDOMAIN", "fail.example MX SERVFAIL",
		"half.example MX 10 m.example", "m.example A SERVFAIL",
		"empty.example MX 10 e.example", NULL,
	};
	struct world w = { .names = names };

	cr_assert_str_eq(walk_mx(&w, "none.example"), "");
	check_verdict(&w, true, "5.1.2");
	cr_assert_str_eq(walk_mx(&w, "fail.example"), "");
	check_verdict(&w, false, "4.4.3");
	cr_assert_str_eq(walk_mx(&w, "half.example"), "");
	check_verdict(&w, false, "4.4.3");
	cr_assert_str_eq(walk_mx(&w, "empty.example"), "");
	check_verdict(&w, true, "5.4.4");
}

/* NMX-01, NMX-04, NMX-05, T26 */
Test(hops, null_mx)
{
	static const char *const names[] = {
		"null.example MX 0 .", "null.example A 192.0.2.1",
		"beside.example MX 0 .,10 m.example", "m.example A 192.0.2.2",
		"local.example MX 10 localhost", "localhost A 127.0.0.1",
		NULL,
	};
	struct world w = { .names = names };

	cr_assert_str_eq(walk_mx(&w, "null.example"), "");
	check_verdict(&w, true, "5.1.10");
	cr_assert_str_eq(walk_mx(&w, "beside.example"), "192.0.2.2:25");
	cr_assert_str_eq(walk_mx(&w, "local.example"), "");
	check_verdict(&w, true, "5.1.10");
}

/* C5321-22, C5321-23: ourselves by name, or by address */
Test(hops, self)
{
	static const char *const names[] = {
		"backup.example MX 10 m1.example,20 SELF.example,"
		    "20 m2.example,30 m3.example",
		"best.example MX 10 self.example,20 m2.example",
		"ip.example MX 10 m1.example,20 alias.example,30 m3.example",
		"m1.example A 192.0.2.1", "m2.example A 192.0.2.2",
		"m3.example A 192.0.2.3", "alias.example A 192.0.2.25",
		"only.example A 192.0.2.25", NULL,
	};
	struct world w = { .names = names };

	cr_assert_str_eq(walk_mx(&w, "backup.example"), "192.0.2.1:25");
	cr_assert_str_eq(walk_mx(&w, "best.example"), "");
	check_verdict(&w, true, "5.4.6");
	cr_assert_str_eq(walk_mx(&w, "ip.example"), "192.0.2.1:25");
	cr_assert_str_eq(walk_mx(&w, "only.example"), "");
	check_verdict(&w, true, "5.4.6");
	cr_assert_str_eq(walk_mx(&w, "self.example"), "");
	check_verdict(&w, true, "5.4.6");
}

/* T24: where an exchanger can't be */
Test(hops, refused_addresses)
{
	static const char *const bad[] = {
		"127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1",
		"239.1.1.1", "169.254.169.254", "255.255.255.255", "::1", "::",
		"ff02::1", "fe80::1",
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char row[128];
		const char *names[] = { "d.example MX 10 m.example", row,
		    NULL };
		struct world w = { .names = names };
		bool is_4 = strchr(bad[i], ':') == NULL;

		(void)snprintf(row, sizeof(row), "m.example %s %s",
		    is_4 ? "A" : "AAAA", bad[i]);
		cr_assert_str_eq(walk_mx(&w, "d.example"), "", "%s", bad[i]);
		check_verdict(&w, true, "5.4.6");
	}
}

Test(hops, mapped_loopback)
{
	static const uint8_t mapped[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");
	struct hops_record r = { .data = SPAN_LIT("m.example") };
	struct hops_answer a = { .found = HOPS_DATA, .records = &r, .n = 1 };
	struct hops_answer none = { .found = HOPS_NO_DATA };
	struct hops_question q, q4, q6;
	struct hops *h;
	struct hop hop;

	cr_assert_eq(hops_new(&setup, &h), OK);
	cr_assert_eq(hops_next(h, &q, &hop), HOPS_ASK);
	hops_answer(h, q.id, &a);
	cr_assert_eq(hops_next(h, &q4, &hop), HOPS_ASK);
	cr_assert_eq(hops_next(h, &q6, &hop), HOPS_ASK);
	r.data = span_of(mapped, 16);
	hops_answer(h, q6.id, &a);
	hops_answer(h, q4.id, &none);
	cr_assert_eq(hops_next(h, &q, &hop), HOPS_OVER);
	hops_free(&h);
}

Test(hops, loopback_allowed)
{
	static const char *const names[] = {
		"d.example MX 10 m.example", "m.example A 127.0.0.1", NULL,
	};
	struct world w = { .names = names };
	struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");

	setup.may_loopback = true;
	walk(&w, &setup);
	cr_assert_str_eq(w.log, "127.0.0.1:25");
}

/* T25, C5321-21: many addresses are tried, but not all in one round */
Test(hops, bounded)
{
	static char rows[3][4096];
	const char *names[] = { rows[0], rows[1], rows[2], NULL };
	struct world w = { .names = names };
	unsigned spaces = 0;

	strcpy(rows[0], "d.example MX 10 big.example,20 m.example");
	strcpy(rows[1], "big.example A 10.0.0.1");
	for (int i = 2; i < 100; i++)
		(void)sprintf(rows[1] + strlen(rows[1]), ",10.0.0.%d", i);
	strcpy(rows[2], "m.example A 192.0.2.1");
	(void)walk_mx(&w, "d.example");
	for (const char *p = w.log; *p != '\0'; p++)
		spaces += *p == ' ';
	cr_assert_eq(spaces + 1, HOPS_PER_HOST + 1, "%s", w.log);
	cr_assert_not_null(strstr(w.log, "192.0.2.1"));

	strcpy(rows[0], "d.example MX 10 big.example");
	(void)walk_mx(&w, "d.example");
	spaces = 0;
	for (const char *p = w.log; *p != '\0'; p++)
		spaces += *p == ' ';
	cr_assert_eq(spaces + 1, HOPS_TRIED_MAX, "%s", w.log);
	cr_assert_leq(w.asked, 20);
}

Test(hops, many_exchangers)
{
	static char row[8192];
	const char *names[] = { row, NULL };
	struct world w = { .names = names };

	strcpy(row, "d.example MX 1 m1.example");
	for (int i = 2; i <= 100; i++)
		(void)sprintf(row + strlen(row), ",%d m%d.example", i, i);
	cr_assert_str_eq(walk_mx(&w, "d.example"), "");
	cr_assert_leq(w.asked, 1 + 2 * HOPS_HOSTS_MAX);
	check_verdict(&w, false, "4.4.4");
}

/* Of more than are kept the best are, wherever the answer has them, and we
 * cut the list wherever we are in it. */
Test(hops, many_exchangers_best_last)
{
	static char row[8192];
	const char *names[] = { row, "m1.example A 192.0.2.1",
		"m50.example A 192.0.2.50", NULL };
	struct world w = { .names = names };

	strcpy(row, "d.example MX 90 m90.example");
	for (int i = 89; i > 0; i--)
		(void)sprintf(row + strlen(row), ",%d m%d.example", i, i);
	cr_assert_str_eq(walk_mx(&w, "d.example"),
	    "192.0.2.1:25 192.0.2.50:25");
	strcat(row, ",2 self.example");
	cr_assert_str_eq(walk_mx(&w, "d.example"), "192.0.2.1:25");
	cr_assert_leq(w.asked, 1 + 2 * HOPS_HOSTS_MAX + 3);
}

/* Explicit hosts: in their order, by address or name, loopback too; a name
 * that isn't found is our own mistake and bounces nothing. */
Test(hops, explicit_hosts)
{
	static const struct route_target targets[] = {
		{ .scheme = CONF_SCHEME_SMTP, .user = "", .host = "127.0.0.1",
		    .is_address = true,
		    .ip = { IPADDR_4, { 127, 0, 0, 1 } }, .port = 2525 },
		{ .scheme = CONF_SCHEME_SMTP, .user = "",
		    .host = "relay.example", .port = 26 },
	};
	static const char *const names[] = {
		"relay.example A 192.0.2.7", "relay.example AAAA ::1", NULL,
	};
	static const char *const nothing[] = {
		"relay.example A NXDOMAIN", "relay.example AAAA NXDOMAIN",
		NULL,
	};
	struct world w = { .names = names };
	struct hops_setup setup = world_setup(targets, 2, "d.example");

	walk(&w, &setup);
	cr_assert_str_eq(w.log, "127.0.0.1:2525 192.0.2.7:26 [::1]:26");
	setup.targets++;
	setup.n_targets = 1;
	w.names = nothing;
	walk(&w, &setup);
	cr_assert_str_eq(w.log, "");
	check_verdict(&w, false, "4.4.4");
}

/* The first two by lot, the third only behind them. */
Test(hops, shared)
{
	static const struct route_target targets[] = {
		{ .scheme = CONF_SCHEME_SMTP, .user = "a",
		    .host = "a.example", .port = 25 },
		{ .scheme = CONF_SCHEME_SMTP, .user = "b",
		    .host = "b.example", .port = 26 },
		{ .scheme = CONF_SCHEME_SMTP, .user = "c",
		    .host = "c.example", .port = 27 },
	};
	static const char *const names[] = { "a.example A 192.0.2.1",
		"b.example A 192.0.2.2", "c.example A 192.0.2.3", NULL };
	struct hops_setup setup = world_setup(targets, 3, "d.example");
	struct world w = { .names = names };
	int first = 0;

	setup.share = 2;
	for (uint64_t seed = 0; seed < 400; seed++) {
		bool is_first;

		setup.seed = seed;
		walk(&w, &setup);
		is_first = strcmp(w.log,
		    "192.0.2.1:25 192.0.2.2:26 192.0.2.3:27") == 0;
		first += is_first;
		cr_assert(is_first || strcmp(w.log,
		    "192.0.2.2:26 192.0.2.1:25 192.0.2.3:27") == 0, "%s",
		    w.log);
	}
	cr_assert(first > 140 && first < 260, "%d of 400", first);
}

Test(hops, preferred_family)
{
	static const char *const names[] = {
		"d.example A 192.0.2.1", "d.example AAAA 2001:db8::1", NULL,
	};
	struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");
	struct world w = { .names = names };

	setup.is_ipv6_first = true;
	walk(&w, &setup);
	cr_assert_str_eq(w.log, "[2001:db8::1]:25 192.0.2.1:25");
}

/* A path is one address, and nothing that the name service knows. */
Test(hops, sockets)
{
	static const struct route_target targets[] = {
		{ .scheme = CONF_SCHEME_LMTP, .user = "",
		    .host = "/run/lmtp", .port = 24 },
		{ .scheme = CONF_SCHEME_LMTP, .user = "",
		    .host = "h.example", .port = 24 },
	};
	static const char *const names[] = { "h.example A 192.0.2.1", NULL };
	struct hops_setup setup = world_setup(targets, 2, "d.example");
	struct world w = { .names = names };

	walk(&w, &setup);
	cr_assert_str_eq(w.log, "/run/lmtp 192.0.2.1:24");
	cr_assert_eq(w.asked, 2);
}

Test(hops, one_family)
{
	static const char *const names[] = {
		"d.example A 192.0.2.1", "d.example AAAA 2001:db8::1", NULL,
	};
	struct world w = { .names = names };
	struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");

	setup.has_ipv6 = false;
	walk(&w, &setup);
	cr_assert_str_eq(w.log, "192.0.2.1:25");
	setup.has_ipv6 = true;
	setup.has_ipv4 = false;
	walk(&w, &setup);
	cr_assert_str_eq(w.log, "[2001:db8::1]:25");
}

/* Without a way to the IPv6 world a host that has only such an address isn't
 * given up, and one that has none at all is. */
Test(hops, ipv6_is_lacking)
{
	static const char *const names[] = {
		"both.example A 192.0.2.1", "both.example AAAA 2001:db8::1",
		"six.example AAAA 2001:db8::1", NULL,
	};
	struct world w = { .names = names };
	struct hops_setup setup = world_setup(&world_by_mx, 1, "both.example");

	setup.has_ipv6 = false;
	setup.lacks_ipv6 = true;
	walk(&w, &setup);
	cr_assert_str_eq(w.log, "192.0.2.1:25");
	setup.domain = span_str("six.example");
	walk(&w, &setup);
	cr_assert_str_eq(w.log, "");
	check_verdict(&w, false, "4.4.1");
	setup.domain = span_str("none.example");
	walk(&w, &setup);
	check_verdict(&w, true, "5.4.4");
}

/* To the moment when both families of d.example's addresses are asked for. */
static struct hops *
both_asked(struct hops_question q[3])
{
	static const struct hops_answer no_mx = { .found = HOPS_NO_DATA };
	struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");
	struct hops *h = NULL;
	struct hop hop;

	cr_assert_eq(hops_new(&setup, &h), OK);
	cr_assert_not(hops_hurry(h) || hops_beside(h, &hop));
	cr_assert_eq(hops_next(h, &q[2], &hop), HOPS_ASK);
	cr_assert_not(hops_hurry(h) || hops_beside(h, &hop));
	hops_answer(h, q[2].id, &no_mx);
	cr_assert_eq(hops_next(h, &q[0], &hop), HOPS_ASK);
	cr_assert_eq(hops_next(h, &q[1], &hop), HOPS_ASK);
	cr_assert_eq(hops_next(h, &q[2], &hop), HOPS_AWAIT);
	return h;
}

static void
answer_addresses(struct hops *h, const struct hops_question *q, size_t n)
{
	static const uint8_t octets[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct hops_record r[2];

	for (size_t i = 0; i < n; i++)
		r[i].data = span_of(octets, q->type == DNS_TYPE_A ? 4 : 16);
	hops_answer(h, q->id, &(struct hops_answer){
	    .found = n > 0 ? HOPS_DATA : HOPS_TEMPORARY, .records = r,
	    .n = n });
}

/* T25: a family that is not answered does not keep the other waiting, whichever
 * it is, and comes behind it when it is answered after all. */
Test(hops, hurry)
{
	for (size_t first = 0; first < 2; first++) {
		struct hops_question q[3], more;
		struct hops *h = both_asked(q);
		struct hop hop;

		cr_assert_not(hops_hurry(h), "nothing is known");
		answer_addresses(h, &q[first], 1);
		cr_assert_eq(hops_next(h, &more, &hop), HOPS_AWAIT);
		cr_assert(hops_hurry(h));
		cr_assert_not(hops_hurry(h), "it is hurried");
		cr_assert_eq(hops_next(h, &more, &hop), HOPS_TRY);
		cr_assert_eq(hop.at.addr.family == IPADDR_4, first == 0);
		cr_assert_not(hops_beside(h, &hop));
		answer_addresses(h, &q[1 - first], 1);
		cr_assert(hops_beside(h, &hop));
		cr_assert_eq(hop.at.addr.family == IPADDR_4, first == 1);
		cr_assert_eq(hops_tried(h), 2);
		cr_assert_eq(hops_next(h, &more, &hop), HOPS_OVER);
		hops_free(&h);
	}
}

/* No answer, or an empty one, is nothing to go on with. */
Test(hops, hurry_in_vain)
{
	struct hops_question q[3], more;
	struct hops *h = both_asked(q);
	struct hops_verdict verdict;
	struct hop hop;

	answer_addresses(h, &q[1], 0);
	cr_assert_not(hops_hurry(h));
	cr_assert_eq(hops_next(h, &more, &hop), HOPS_AWAIT);
	answer_addresses(h, &q[0], 0);
	cr_assert_eq(hops_next(h, &more, &hop), HOPS_OVER);
	cr_assert_not(hops_hurry(h) || hops_beside(h, &hop));
	hops_verdict(h, &verdict);
	cr_assert_not(verdict.is_permanent);
	hops_free(&h);
}

/* Beside the first address only one of the other family is tried. */
Test(hops, beside)
{
	struct hops_question q[3], more;
	struct hops *h = both_asked(q);
	struct hop hop;

	answer_addresses(h, &q[0], 2);
	answer_addresses(h, &q[1], 1);
	cr_assert_not(hops_beside(h, &hop), "nothing is given out");
	cr_assert_eq(hops_next(h, &more, &hop), HOPS_TRY);
	cr_assert_eq(hop.at.addr.family, IPADDR_4);
	cr_assert(hops_beside(h, &hop));
	cr_assert_eq(hop.at.addr.family, IPADDR_6);
	cr_assert_str_eq(hop.host, "d.example");
	cr_assert_eq(hops_next(h, &more, &hop), HOPS_TRY);
	cr_assert_not(hops_beside(h, &hop), "it was the last");
	cr_assert_eq(hops_next(h, &more, &hop), HOPS_OVER);
	hops_free(&h);
}

Test(hops, address_literal)
{
	static const char *const names[] = { NULL };
	struct world w = { .names = names };

	cr_assert_str_eq(walk_mx(&w, "[192.0.2.9]"), "192.0.2.9:25");
	cr_assert_str_eq(walk_mx(&w, "[IPv6:2001:db8::9]"),
	    "[2001:db8::9]:25");
	cr_assert_str_eq(walk_mx(&w, "[127.0.0.1]"), "");
	check_verdict(&w, true, "5.4.6");
	cr_assert_str_eq(walk_mx(&w, "[192.0.2.25]"), "");
	check_verdict(&w, true, "5.4.6");
	cr_assert_eq(w.asked, 0);
}

/* Answers that nobody waits for do nothing. */
Test(hops, stray_answers)
{
	struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");
	struct hops_answer a = { .found = HOPS_NO_NAME };
	struct hops_question q;
	struct hops *h;
	struct hop hop;

	cr_assert_eq(hops_new(&setup, &h), OK);
	hops_answer(h, 1, &a);
	cr_assert_eq(hops_next(h, &q, &hop), HOPS_ASK);
	for (uint32_t id = 2; id < 300; id++)
		hops_answer(h, id, &a);
	hops_answer(h, 0, &a);
	hops_answer(h, UINT32_MAX, &a);
	cr_assert_eq(hops_next(h, &q, &hop), HOPS_AWAIT);
	hops_answer(h, q.id, &a);
	cr_assert_eq(hops_next(h, &q, &hop), HOPS_OVER);
	hops_free(&h);
	cr_assert_null(h);
}

/* UTF8-05: the DNS is asked for A-labels; what has none has no hosts. */
Test(hops, letters_beyond_ascii)
{
	struct hops_setup setup = world_setup(&world_by_mx, 1,
	    "m\xc3\xbcller.example");
	struct hops_verdict verdict;
	struct hops_question q;
	struct hops *h;
	struct hop hop;

	cr_assert_eq(hops_new(&setup, &h), OK);
	cr_assert_eq(hops_next(h, &q, &hop), HOPS_ASK);
	cr_expect_str_eq(q.name, "xn--mller-kva.example");
	hops_free(&h);
	setup = world_setup(&world_by_mx, 1, "\xe2\x98\x83.example");
	cr_assert_eq(hops_new(&setup, &h), OK);
	cr_expect_eq(hops_next(h, &q, &hop), HOPS_OVER);
	hops_verdict(h, &verdict);
	cr_expect(verdict.is_permanent);
	cr_expect_eq(verdict.status.subject, 1);
	cr_expect_eq(verdict.status.detail, 2);
	hops_free(&h);
}
