/* Counts of TLS by domain and day: RPT-02, RPT-05. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/crc32c.h"
#include "common/base/wire.h"
#include "queued/tlsrpt/tlsrpt_impl.h"

enum { HOUR = 3600000 };
#define DAY TLSRPT_DAY_MS
#define NOON (20000 * DAY + 12 * (int64_t)HOUR)

static const struct siphash_key seed = { 5, 6 };
static struct tlsrpt *t;

static void
begin(void)
{
	cr_assert_eq(tlsrpt_new(&seed, &t), OK);
}

static void
end(void)
{
	tlsrpt_free(&t);
}

TestSuite(tlsrpt, .init = begin, .fini = end);

static struct tlsrpt_event
event(const char *domain, enum tlsrpt_result result)
{
	return (struct tlsrpt_event){
		.domain = span_str(domain), .kind = TLSRPT_STS,
		.policy = SPAN_LIT("version: STSv1\nmode: enforce"),
		.patterns = SPAN_LIT("*.mx.example"), .result = result,
		.host = SPAN_LIT("a.mx.example"),
	};
}

static void
take(const char *domain, enum tlsrpt_result result, int64_t now)
{
	struct tlsrpt_event e = event(domain, result);

	tlsrpt_count(t, &e, now);
}

static const struct tlsrpt_policy *
first_policy(const char *domain, int64_t at)
{
	const struct tlsrpt_day *day = tlsrpt_find(t, span_str(domain), at);

	cr_assert_not_null(day);
	return CONTAINER_OF(list_first(&day->policies),
	    struct tlsrpt_policy, node);
}

Test(tlsrpt, counts)
{
	take("d.example", TLSRPT_SUCCESS, NOON);
	take("D.Example", TLSRPT_SUCCESS, NOON);
	take("d.example", TLSRPT_EXPIRED, NOON);
	take("d.example", TLSRPT_EXPIRED, NOON);
	take("d.example", TLSRPT_WRONG_NAME, NOON);
	cr_assert_eq(tlsrpt_domains(t), 1);
	cr_assert_eq(first_policy("d.example", NOON)->successes, 2);
	cr_assert_eq(first_policy("d.example", NOON)->failures, 3);
	cr_assert_eq(first_policy("d.example", NOON)->n_details, 2);
	cr_assert_eq(tlsrpt_lost(t), 0);
}

/* A day is one of UTC. */
Test(tlsrpt, days)
{
	int64_t midnight = 20000 * DAY;

	take("d.example", TLSRPT_SUCCESS, midnight - 1);
	take("d.example", TLSRPT_SUCCESS, midnight);
	cr_assert_eq(tlsrpt_domains(t), 2);
	cr_assert_eq(tlsrpt_day_begin(tlsrpt_find(t, SPAN_LIT("d.example"),
	    midnight - 1)), midnight - DAY);
	cr_assert_null(tlsrpt_find(t, SPAN_LIT("d.example"), midnight + DAY));
}

/* Another policy of the same domain, such as one that has changed. */
Test(tlsrpt, policies)
{
	struct tlsrpt_event e = event("d.example", TLSRPT_SUCCESS);
	char text[32];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(text, sizeof(text), "3 1 1 %d", i);
		e.kind = TLSRPT_TLSA;
		e.policy = span_str(text);
		tlsrpt_count(t, &e, NOON);
	}
	cr_assert_eq(tlsrpt_find(t, e.domain, NOON)->n_policies,
	    TLSRPT_POLICIES_MAX);
	cr_assert_eq(tlsrpt_lost(t), 20 - TLSRPT_POLICIES_MAX);
}

/* Too many kinds of failures are counted without their place, all of them. */
Test(tlsrpt, details_add_up)
{
	struct tlsrpt_event e = event("d.example", TLSRPT_EXPIRED);
	const struct tlsrpt_policy *p;
	struct list *node;
	uint64_t sum = 0;
	char host[32];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(host, sizeof(host), "h%d.example", i);
		e.host = span_str(host);
		e.result = i % 2 ? TLSRPT_EXPIRED : TLSRPT_NOT_TRUSTED;
		tlsrpt_count(t, &e, NOON);
	}
	p = first_policy("d.example", NOON);
	cr_assert_eq(p->n_details, TLSRPT_DETAILS_MAX + 2);
	for (node = list_first(&p->details); node != NULL;
	    node = list_next(&p->details, node))
		sum += CONTAINER_OF(node, struct tlsrpt_detail,
		    node)->count;
	cr_assert_eq(sum, 1000);
	cr_assert_eq(p->failures, 1000);
}

Test(tlsrpt, only_names_are_domains)
{
	static const char *const bad[] = { "", "a\r\nb", "a b", "a\"b",
	    "\xc3\xa4.example", "a!b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		take(bad[i], TLSRPT_SUCCESS, NOON);
	cr_assert_eq(tlsrpt_domains(t), 0);
	cr_assert_eq(tlsrpt_lost(t), sizeof(bad) / sizeof(bad[0]));
}

Test(tlsrpt, many_domains)
{
	char domain[32];

	for (unsigned i = 0; i < TLSRPT_DOMAINS_MAX + 10; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.example", i);
		take(domain, TLSRPT_SUCCESS, NOON);
	}
	cr_assert_eq(tlsrpt_domains(t), TLSRPT_DOMAINS_MAX);
	cr_assert_eq(tlsrpt_lost(t), 10);
}

/* Long texts are cut, a policy at a line. */
Test(tlsrpt, long_texts)
{
	char text[5000];
	struct tlsrpt_event e = event("d.example", TLSRPT_INVALID);

	memset(text, 'x', sizeof(text));
	e.why = e.policy = span_of(text, sizeof(text));
	tlsrpt_count(t, &e, NOON);
	cr_assert_eq(first_policy("d.example", NOON)->n_policy, 0);
	text[1000] = '\n';
	tlsrpt_count(t, &e, NOON);
	cr_assert_eq(tlsrpt_find(t, e.domain, NOON)->n_policies, 2);
}

/* ---- what is due ---- */

Test(tlsrpt, due_when_the_day_is_over)
{
	int64_t over = 20001 * DAY;
	struct tlsrpt_day *day;

	take("d.example", TLSRPT_SUCCESS, NOON);
	cr_assert_null(tlsrpt_due(t, NOON));
	cr_assert_null(tlsrpt_due(t, over - 1));
	cr_assert_not_null(day = tlsrpt_due(t, over + 5 * (int64_t)HOUR));
	tlsrpt_put_off(t, day, over + 6 * (int64_t)HOUR);
	cr_assert_null(tlsrpt_due(t, over + 5 * (int64_t)HOUR));
	cr_assert_eq(day, tlsrpt_due(t, over + 6 * (int64_t)HOUR));
	tlsrpt_forget(t, &day);
	cr_assert_null(day);
	cr_assert_eq(tlsrpt_domains(t), 0);
}

/* Not all of the world at the same time. */
Test(tlsrpt, due_times_are_spread)
{
	int64_t over = 20001 * DAY;
	struct tlsrpt_day *day;
	unsigned n = 0;
	char domain[32];

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.example", i);
		take(domain, TLSRPT_SUCCESS, NOON);
	}
	while ((day = tlsrpt_due(t, over + 2 * (int64_t)HOUR)) != NULL) {
		tlsrpt_forget(t, &day);
		n++;
	}
	cr_assert(n > 400 && n < 600, "%u", n);
	while ((day = tlsrpt_due(t, over + 4 * (int64_t)HOUR + 60000)) != NULL)
		tlsrpt_forget(t, &day);
	cr_assert_eq(tlsrpt_domains(t), 0);
}

Test(tlsrpt, too_old)
{
	take("d.example", TLSRPT_SUCCESS, NOON);
	cr_assert_null(tlsrpt_due(t, NOON + 4 * DAY));
	cr_assert_eq(tlsrpt_domains(t), 0);
}

/* ---- the file ---- */

static void
read_again(struct buf *file, enum err want)
{
	tlsrpt_free(&t);
	begin();
	cr_assert_eq(tlsrpt_read(t, buf_span(file)), want);
}

Test(tlsrpt, outlives)
{
	struct buf file;

	buf_init(&file, TLSRPT_FILE_MAX);
	take("d.example", TLSRPT_SUCCESS, NOON);
	take("d.example", TLSRPT_EXPIRED, NOON);
	take("e.example", TLSRPT_EXPIRED, NOON + DAY);
	cr_assert(tlsrpt_has_changed(t));
	tlsrpt_put(t, &file);
	cr_assert(!tlsrpt_has_changed(t));
	read_again(&file, OK);
	cr_assert_eq(tlsrpt_domains(t), 2);
	cr_assert_eq(first_policy("d.example", NOON)->successes, 1);
	cr_assert_eq(first_policy("d.example", NOON)->failures, 1);
	cr_assert_eq(first_policy("e.example", NOON + DAY)->failures, 1);
	/* and goes on */
	take("d.example", TLSRPT_EXPIRED, NOON);
	cr_assert_eq(first_policy("d.example", NOON)->n_details, 1);
	buf_clear(&file);
}

Test(tlsrpt, damaged_files)
{
	struct buf file;

	buf_init(&file, TLSRPT_FILE_MAX);
	take("d.example", TLSRPT_EXPIRED, NOON);
	tlsrpt_put(t, &file);
	for (size_t i = 0; i < file.n; i++) {
		file.p[i] ^= 1;
		read_again(&file, ERR_CORRUPT);
		cr_assert_eq(tlsrpt_domains(t), 0);
		file.p[i] ^= 1;
	}
	for (size_t n = 0; n < file.n; n++)
		cr_assert_eq(tlsrpt_read(t, span_of(file.p, n)), ERR_CORRUPT);
	/* a later version, with a sum that fits */
	file.p[8] = 2;
	wire_patch_u32(&file, file.n - 4, crc32c(0, file.p, file.n - 4));
	read_again(&file, ERR_VERSION);
	buf_clear(&file);
}
