/* What is known of policies, RFC 8461 3.3 and 5.1, in virtual time. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/check.h"
#include "common/sts/sts_cache.h"

#define DAY		86400000LL
#define NOW		(20000 * DAY)
#define DOMAIN		SPAN_LIT("example.com")
#define MX		SPAN_LIT("mx.example.com\n")

static const struct siphash_key seed = { 5, 6 };
static const struct sts_policy week = { STS_MODE_ENFORCE, 7 * 86400 };
static struct sts_cache *c;
static const struct sts_entry *policy;

static void
setup(void)
{
	cr_assert_eq(sts_cache_new(&seed, &c), OK);
}

static void
teardown(void)
{
	sts_cache_free(&c);
	cr_assert_null(c);
}

TestSuite(sts_cache, .init = setup, .fini = teardown);

static enum sts_advice
judge(const char *id, int64_t at)
{
	return sts_cache_judge(c, DOMAIN, id, at, &policy);
}

static void
store(const char *id, const struct sts_policy *p, int64_t at)
{
	cr_assert_eq(sts_cache_store(c, DOMAIN, id, p, MX, at), OK);
}

Test(sts_cache, first_and_next)
{
	cr_assert_eq(judge(NULL, NOW), STS_NONE);
	cr_assert_eq(judge("a", NOW), STS_FETCH);
	cr_assert_null(policy);
	store("a", &week, NOW);
	cr_assert_eq(judge("a", NOW + 1), STS_APPLY);
	cr_assert_eq(policy->mode, STS_MODE_ENFORCE);
	cr_assert(span_equal(policy->mx, MX));
	cr_assert_eq(policy->expires_at_ms, NOW + 7 * DAY);
	/* whatever its case */
	cr_assert_eq(sts_cache_judge(c, SPAN_LIT("EXAMPLE.com"), "a", NOW,
	    &policy), STS_APPLY);
	cr_assert_not_null(policy);
	cr_assert_eq(sts_cache_judge(c, SPAN_LIT("a.example.com"), NULL, NOW,
	    &policy), STS_NONE);
}

/* STS-07: without a record, or when nothing can be fetched, it holds on. */
Test(sts_cache, holds_until_it_expires)
{
	store("a", &week, NOW);
	cr_assert_eq(judge(NULL, NOW + 7 * DAY - 1), STS_APPLY);
	cr_assert_not_null(policy);
	cr_assert_eq(judge(NULL, NOW + 7 * DAY), STS_NONE);
	cr_assert_null(policy);
	/* with a record it is fetched anew */
	cr_assert_eq(judge("a", NOW + 7 * DAY), STS_FETCH);
	cr_assert_null(policy);
	cr_assert_null(sts_cache_find(c, DOMAIN, NOW + 7 * DAY));
	cr_assert_not_null(sts_cache_find(c, DOMAIN, NOW + 7 * DAY - 1));
}

/* STS-07: another id fetches it; if that fails, the known one holds. */
Test(sts_cache, changed_id)
{
	static const struct sts_policy testing = { STS_MODE_TESTING, 86400 };

	store("a", &week, NOW);
	cr_assert_eq(judge("b", NOW + 1000), STS_FETCH);
	cr_assert_str_eq(policy->id, "a");
	sts_cache_fail(c, DOMAIN, NOW + 1000);
	cr_assert_eq(judge("b", NOW + 1001), STS_APPLY);
	cr_assert_str_eq(policy->id, "a");
	/* and it is left alone for a while, whatever id it has */
	cr_assert_eq(judge("c", NOW + 1000 + STS_PAUSE_MS - 1), STS_APPLY);
	cr_assert_eq(judge("c", NOW + 1000 + STS_PAUSE_MS), STS_FETCH);
	store("c", &testing, NOW + 2 * STS_PAUSE_MS);
	cr_assert_eq(judge("c", NOW + 2 * STS_PAUSE_MS), STS_APPLY);
	cr_assert_eq(policy->mode, STS_MODE_TESTING);
	cr_assert_eq(policy->expires_at_ms, NOW + 2 * STS_PAUSE_MS + DAY);
	/* the former one is as unknown as any other */
	cr_assert_eq(judge("a", NOW + 2 * STS_PAUSE_MS), STS_FETCH);
}

Test(sts_cache, failures_without_a_policy)
{
	sts_cache_fail(c, DOMAIN, NOW);
	cr_assert_eq(judge("a", NOW + 1), STS_NONE);
	cr_assert_null(policy);
	cr_assert_eq(judge("a", NOW + STS_PAUSE_MS), STS_FETCH);
	/* a clock that was set back makes no long pause of it */
	cr_assert_eq(judge("a", NOW - DAY), STS_FETCH);
}

Test(sts_cache, refreshed_after_a_day)
{
	store("a", &week, NOW);
	cr_assert_eq(judge("a", NOW + DAY - 1), STS_APPLY);
	cr_assert_eq(judge("a", NOW + DAY), STS_REFRESH);
	cr_assert_not_null(policy);
	sts_cache_fail(c, DOMAIN, NOW + DAY);
	cr_assert_eq(judge("a", NOW + DAY + 1), STS_APPLY);
	cr_assert_eq(judge("a", NOW + DAY + STS_PAUSE_MS), STS_REFRESH);
	store("a", &week, NOW + DAY + STS_PAUSE_MS);
	cr_assert_eq(judge("a", NOW + DAY + STS_PAUSE_MS), STS_APPLY);
	cr_assert_eq(policy->expires_at_ms, NOW + 8 * DAY + STS_PAUSE_MS);
}

/* One that expires at once is not fetched for every mail. */
Test(sts_cache, shortest_life)
{
	static const struct sts_policy never = { STS_MODE_ENFORCE, 0 };

	store("a", &never, NOW);
	cr_assert_eq(judge("a", NOW + STS_PAUSE_MS - 1), STS_APPLY);
	cr_assert_eq(judge("a", NOW + STS_PAUSE_MS), STS_FETCH);
}

Test(sts_cache, refuses)
{
	char long_name[300];

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	cr_assert_eq(sts_cache_store(c, span_str(long_name), "a", &week, MX,
	    NOW), ERR_RANGE);
	cr_assert_eq(sts_cache_store(c, DOMAIN, "a b", &week, MX, NOW),
	    ERR_RANGE);
	cr_assert_eq(sts_cache_store(c, DOMAIN, "", &week, MX, NOW),
	    ERR_RANGE);
	sts_cache_fail(c, span_str(long_name), NOW);
	cr_assert_eq(sts_cache_count(c), 0);
}

/* Every day, while somebody asks now and then; not in a pause. */
Test(sts_cache, due)
{
	static const struct sts_policy year = { STS_MODE_ENFORCE, 31557600 };
	size_t cursor = 0;

	cr_assert_null(sts_cache_due(c, &cursor, NOW));
	store("a", &year, NOW);
	cursor = 0;
	cr_assert_null(sts_cache_due(c, &cursor, NOW + DAY - 1));
	cursor = 0;
	cr_assert_eq(sts_cache_due(c, &cursor, NOW + DAY),
	    sts_cache_find(c, DOMAIN, NOW));
	cr_assert_null(sts_cache_due(c, &cursor, NOW + DAY));
	sts_cache_fail(c, DOMAIN, NOW + DAY);
	cursor = 0;
	cr_assert_null(sts_cache_due(c, &cursor, NOW + DAY + 1));
	cursor = 0;
	cr_assert_not_null(sts_cache_due(c, &cursor, NOW + 30 * DAY - 1));
	cursor = 0;
	cr_assert_null(sts_cache_due(c, &cursor, NOW + 30 * DAY));
	cr_assert_eq(judge("a", NOW + 31 * DAY), STS_REFRESH);
	cursor = 0;
	cr_assert_not_null(sts_cache_due(c, &cursor, NOW + 60 * DAY));
	/* what is over is nobody's */
	cr_assert_eq(judge("a", NOW + 365 * DAY), STS_REFRESH);
	cursor = 0;
	cr_assert_null(sts_cache_due(c, &cursor, NOW + 366 * DAY));
}

Test(sts_cache, forgotten)
{
	store("a", &week, NOW);
	sts_cache_forget(c, SPAN_LIT("other.example"));
	cr_assert_eq(sts_cache_count(c), 1);
	sts_cache_forget(c, DOMAIN);
	cr_assert_eq(sts_cache_count(c), 0);
	cr_assert_eq(judge("a", NOW), STS_FETCH);
}

/* Who was not asked for longest goes first. */
Test(sts_cache, bounded)
{
	char name[32];

	for (unsigned i = 0; i < STS_ENTRIES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "d%u.example", i);
		cr_assert_eq(sts_cache_store(c, span_str(name), "a", &week, MX,
		    NOW), OK);
	}
	cr_assert_eq(sts_cache_judge(c, SPAN_LIT("d0.example"), "a", NOW,
	    &policy), STS_APPLY);
	store("a", &week, NOW);
	sts_cache_fail(c, SPAN_LIT("other.example"), NOW);
	cr_assert_eq(sts_cache_count(c), STS_ENTRIES_MAX);
	cr_assert_not_null(sts_cache_find(c, SPAN_LIT("d0.example"), NOW));
	cr_assert_null(sts_cache_find(c, SPAN_LIT("d1.example"), NOW));
	cr_assert_null(sts_cache_find(c, SPAN_LIT("d2.example"), NOW));
	cr_assert_not_null(sts_cache_find(c, SPAN_LIT("d3.example"), NOW));
}

/* What is kept by others comes back as it was, or not at all. */
Test(sts_cache, kept)
{
	struct sts_entry e;
	struct buf b;

	buf_init(&b, STS_ENTRY_BYTES_MAX);
	store("a", &week, NOW);
	sts_entry_put(sts_cache_find(c, DOMAIN, NOW), &b);
	cr_assert_eq(sts_entry_read(buf_span(&b), &e), OK);
	cr_assert_eq(e.expires_at_ms, NOW + 7 * DAY);
	teardown();
	setup();
	cr_assert_eq(sts_cache_restore(c, buf_span(&b), NOW + 7 * DAY), OK);
	cr_assert_eq(sts_cache_count(c), 0);
	cr_assert_eq(sts_cache_restore(c, buf_span(&b), NOW + DAY), OK);
	cr_assert_eq(judge("a", NOW + DAY - 1), STS_APPLY);
	cr_assert(span_equal(policy->mx, MX));
	cr_assert_eq(policy->fetched_at_ms, NOW);
	/* what is newer stays */
	store("b", &week, NOW + DAY);
	cr_assert_eq(sts_cache_restore(c, buf_span(&b), NOW + DAY), OK);
	cr_assert_eq(judge("b", NOW + DAY), STS_APPLY);
	/* I-05: cut, or with any bit flipped, it is none, or harmless */
	for (size_t bit = 0; bit < b.n * 8; bit++) {
		uint8_t *p = malloc(b.n);

		memcpy(p, b.p, b.n);
		cr_assert_eq(sts_entry_read(span_of(p, bit / 8), &e),
		    ERR_SYNTAX);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (sts_entry_read(span_of(p, b.n), &e) == OK) {
			cr_assert(sts_id_is_valid(span_str(e.id)));
			cr_assert(sts_mx_is_list(e.mx));
			cr_assert_leq(e.expires_at_ms - e.fetched_at_ms,
			    (int64_t)STS_AGE_MAX_S * 1000);
		}
		free(p);
	}
	buf_clear(&b);
}
