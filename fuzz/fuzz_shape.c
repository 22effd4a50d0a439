/*
 * The file of suspensions: any bytes, as they are and with a sum that fits, so
 * that what lies behind the sum is reached, too.  What is read can be looked at,
 * and reads the same when it is written again.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/wire.h"
#include "queued/shape/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct siphash_key seed = { 3, 4 };

static size_t
count(const struct shape *s)
{
	struct shape_stop stop, of;
	struct shape_slow slow;
	size_t cursor = 0, n = 0;

	while (shape_next_stop(s, &cursor, &stop)) {
		MUST(stop.name.n > 0 && stop.name.n <= SHAPE_NAME_MAX);
		MUST(stop.why.n <= SHAPE_WHY_MAX);
		(void)shape_stop_of_route(s, stop.route, 5, &of);
		(void)shape_stop_of(s, stop.name, 5, &of);
		n++;
	}
	MUST(n == shape_stops(s));
	for (cursor = 0; shape_next_slow(s, &cursor, &slow); n++)
		MUST(slow.rate.count == 0 || slow.rate.period_ms > 0);
	return n;
}

static void
read_one(struct span bytes)
{
	struct shape *s, *again;
	struct buf file;

	MUST(shape_new(&seed, &s) == OK);
	if (shape_read(s, bytes) == OK) {
		buf_init(&file, SHAPE_FILE_MAX);
		shape_put(s, &file);
		MUST(!buf_failed(&file));
		MUST(shape_new(&seed, &again) == OK);
		MUST(shape_read(again, buf_span(&file)) == OK);
		MUST(count(again) == count(s));
		shape_free(&again);
		buf_clear(&file);
		(void)shape_sweep(s, 5000);
	} else {
		MUST(shape_stops(s) == 0);
	}
	(void)count(s);
	shape_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *copy;
	uint32_t sum;

	read_one(span_of(bytes, n));
	if (n < 16 || (copy = malloc(n)) == NULL)
		return 0;
	memcpy(copy, bytes, n);
	memcpy(copy, "MTADSHP\n\1\0\0", 12);
	sum = htole32(crc32c(0, copy, n - 4));
	memcpy(copy + n - 4, &sum, 4);
	read_one(span_of(copy, n));
	free(copy);
	return 0;
}
