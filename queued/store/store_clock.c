#include "queued/store/store_clock.h"

#include "queued/store/store_small.h"

enum { OFFSET, SEEN, NUMBERS };

static const struct store_small file = { .name = "clock",
	.new_name = "clock.new", .magic = "MTADCLK\n", .count = NUMBERS };

enum err
store_clock_read(const struct store_io *io, const char *path,
    struct store_clock *out)
{
	uint64_t numbers[NUMBERS];
	enum err e = store_small_read(io, path, &file, numbers);

	if (e == OK && (int64_t)numbers[SEEN] < 0)
		e = ERR_CORRUPT;
	if (e != OK)
		return e;
	out->offset_ms = (int64_t)numbers[OFFSET];
	out->seen_at = (int64_t)numbers[SEEN];
	return OK;
}

enum err
store_clock_write(const struct store_io *io, const char *path,
    const struct store_clock *clock)
{
	const uint64_t numbers[NUMBERS] = {
		[OFFSET] = (uint64_t)clock->offset_ms,
		[SEEN] = (uint64_t)clock->seen_at,
	};

	return store_small_write(io, path, &file, numbers, true);
}
