/*
 * MTA-STS: the first octet says what the rest is, a record, a policy, or an
 * entry of the cache as it was kept.  What is accepted is what our own words
 * for it allow, and reads the same when it is written again.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/sts/sts_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
record(struct span s)
{
	struct sts_records r = { 0 };
	const char *id;

	sts_records_add(&r, s);
	id = sts_records_id(&r);
	MUST(id == NULL || sts_id_is_valid(span_str(id)));
	sts_records_add(&r, SPAN_LIT("v=STSv1; id=a"));
	MUST(sts_records_id(&r) == NULL || id == NULL);
}

static void
policy(struct span s)
{
	struct sts_policy p;
	struct buf mx;

	buf_init(&mx, STS_MX_MAX);
	if (sts_policy_parse(s, &p, &mx, NULL) == OK) {
		MUST(p.max_age_s <= STS_AGE_MAX_S);
		MUST(p.mode == STS_MODE_NONE || mx.n > 0);
		MUST(sts_mx_is_list(buf_span(&mx)));
		(void)sts_mx_has(buf_span(&mx), span_sub(s, 0, 40));
	}
	buf_clear(&mx);
}

static void
entry(struct span s)
{
	struct sts_entry e, again;
	struct buf b;

	if (sts_entry_read(s, &e) != OK)
		return;
	buf_init(&b, STS_ENTRY_BYTES_MAX);
	sts_entry_put(&e, &b);
	MUST(!buf_failed(&b) && sts_entry_read(buf_span(&b), &again) == OK);
	MUST(strcmp(e.domain, again.domain) == 0);
	MUST(span_equal(e.mx, again.mx));
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static void (*const kinds[])(struct span) = { record, policy, entry };
	uint8_t *copy;

	if (n == 0)
		return 0;
	/* a block of its own: reading beyond it shows */
	copy = malloc(n);
	if (copy == NULL)
		return 0;
	memcpy(copy, bytes, n);
	kinds[copy[0] % COUNT_OF(kinds)](span_of(copy + 1, n - 1));
	free(copy);
	return 0;
}
