#include "queued/store/store_doubt.h"

#include "queued/store/store_private.h"
#include "queued/store/store_small.h"

enum { INSTANCE, START, ENDED, NUMBERS };

static const struct store_small file = { .name = "doubts",
	.new_name = "doubts.new", .magic = "MTADDBT\n", .count = NUMBERS };

enum err
store_doubt_read(const char *path, struct store_doubt *out)
{
	uint64_t numbers[NUMBERS];
	enum err e = store_small_read(NULL, path, &file, numbers);

	if (e != OK)
		return e;
	*out = (struct store_doubt){ .instance = numbers[INSTANCE],
	    .start = numbers[START], .ended_at = numbers[ENDED] };
	return OK;
}

enum err
store_doubt_write(const char *path, const struct store_doubt *doubt)
{
	const uint64_t numbers[NUMBERS] = { [INSTANCE] = doubt->instance,
	    [START] = doubt->start, [ENDED] = doubt->ended_at };

	return store_small_write(NULL, path, &file, numbers, false);
}

struct store_doubt
store_doubt_of(const struct store *s, uint64_t instance)
{
	return (struct store_doubt){ .instance = instance, .start = s->start,
	    .ended_at = store_ended_at(s) };
}
