#include "queued/store/store_silent.h"

static void
ignore_group(void *ctx, uint64_t group)
{
	(void)ctx;
	(void)group;
}

static void
ignore_token(void *ctx, uint64_t token, uint64_t id)
{
	(void)ctx;
	(void)token;
	(void)id;
}

static void
ignore_unit(void *ctx, struct store_unit *unit)
{
	(void)ctx;
	(void)unit;
}

static void
ignore_body(void *ctx, uint64_t token, uint64_t bytes, bool is_closed,
    enum err e)
{
	(void)ctx;
	(void)token;
	(void)bytes;
	(void)is_closed;
	(void)e;
}

static void
ignore(void *ctx)
{
	(void)ctx;
}

static void
ignore_notice(void *ctx, const char *event, const char *text)
{
	(void)ctx;
	(void)event;
	(void)text;
}

struct store_ops
store_silent(void)
{
	return (struct store_ops){
		.on_written = ignore_group, .on_synced = ignore_group,
		.on_refused = ignore_token, .on_unit = ignore_unit,
		.on_token = ignore_token, .on_body = ignore_body,
		.on_room = ignore, .on_dead = ignore,
		.on_notice = ignore_notice,
	};
}
