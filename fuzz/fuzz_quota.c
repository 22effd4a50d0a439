/*
 * The file of counts: any bytes, as they are and with a sum that fits, so that
 * what lies behind the sum is reached, too.  What is read can be looked at,
 * counts on, and reads the same when it is written again.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/wire.h"
#include "queued/quota/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct siphash_key seed = { 3, 4 };

static void
ignore(void *ctx, const struct quota_view *view)
{
	(void)ctx;
	MUST(view->wait_ms > 0);
}

static const struct quota_ops ops = { .on_full = ignore };

static size_t
count(const struct quota *q)
{
	struct quota_view view;
	uint64_t cursor = 0;
	size_t n = 0;

	while (quota_next(q, &cursor, 1000, &view)) {
		MUST(view.name.n <= CONF_QUOTA_NAME_MAX);
		MUST(view.wait_ms >= 0);
		n++;
	}
	return n;
}

static void
read_one(struct span bytes)
{
	struct quota *q, *again;
	struct buf file;

	MUST(quota_new(&seed, &ops, NULL, &q) == OK);
	if (quota_read(q, bytes) == OK) {
		buf_init(&file, QUOTA_FILE_MAX);
		quota_put(q, &file);
		MUST(!buf_failed(&file));
		MUST(quota_new(&seed, &ops, NULL, &again) == OK);
		MUST(quota_read(again, buf_span(&file)) == OK);
		MUST(count(again) == count(q));
		quota_free(&again);
		buf_clear(&file);
		quota_sweep(q, 5000);
	}
	(void)count(q);
	quota_free(&q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *copy;
	uint32_t sum;

	read_one(span_of(bytes, n));
	if (n < 12 || (copy = malloc(n)) == NULL)
		return 0;
	memcpy(copy, bytes, n);
	memcpy(copy, "MTADQTA\n\1\0\0", 11);
	copy[11] = 0;
	if (n >= 16) {
		sum = htole32(crc32c(0, copy, n - 4));
		memcpy(copy + n - 4, &sum, 4);
	}
	read_one(span_of(copy, n));
	free(copy);
	return 0;
}
