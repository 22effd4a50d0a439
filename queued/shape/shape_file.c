/*
 * What outlives the process (docs/SPOOL.md, shaping), with a sum over it.  Numbers
 * that cannot be are refused with the whole.
 */
#include "queued/shape/shape_impl.h"

#include "common/base/crc32c.h"
#include "common/base/wire.h"

#define MAGIC	"MTADSHP\n"

enum { MAGIC_N = 8, VERSION = 1, SUM_N = 4 };

static void
put_stops(const struct shape *s, struct buf *out)
{
	struct shape_stop stop;
	size_t cursor = 0;

	wire_put_u32(out, (uint32_t)map_span_count(&s->known[SHAPE_STOP]));
	while (shape_next_stop(s, &cursor, &stop)) {
		wire_put_span(out, stop.name);
		wire_put_u32(out, stop.route);
		wire_put_u8(out, (uint8_t)stop.by);
		wire_put_u32(out, stop.uid);
		wire_put_u64(out, (uint64_t)stop.since);
		wire_put_u64(out, (uint64_t)stop.until);
		wire_put_span(out, stop.why);
	}
}

static void
put_slows(const struct shape *s, struct buf *out)
{
	struct shape_slow slow;
	size_t cursor = 0;

	wire_put_u32(out, (uint32_t)map_span_count(&s->known[SHAPE_SLOW]));
	while (shape_next_slow(s, &cursor, &slow)) {
		wire_put_span(out, slow.name);
		wire_put_u32(out, slow.rate.count);
		wire_put_u32(out, slow.rate.period_ms);
		wire_put_u32(out, slow.window);
		wire_put_u64(out, (uint64_t)slow.since);
		wire_put_u64(out, (uint64_t)slow.until);
		wire_put_span(out, slow.why);
	}
}

void
shape_put(struct shape *s, struct buf *out)
{
	const struct shape_warm *warm;
	size_t cursor = 0;

	buf_add(out, MAGIC, MAGIC_N);
	wire_put_u32(out, VERSION);
	put_stops(s, out);
	put_slows(s, out);
	wire_put_u32(out, (uint32_t)map_u64_count(&s->warms));
	while ((warm = map_u64_next(&s->warms, &cursor)) != NULL) {
		wire_put_u32(out, warm->route);
		wire_put_u64(out, (uint64_t)warm->since);
	}
	if (!buf_failed(out))
		wire_put_u32(out, crc32c(0, out->p, out->n));
	s->has_changed = buf_failed(out);
}

/* ---- reading ---- */

static int64_t
get_time(struct wire *w)
{
	uint64_t at = wire_u64(w);

	if (at > INT64_MAX)
		wire_fail(w);
	return w->is_failed ? 0 : (int64_t)at;
}

static uint32_t
get_count(struct wire *w, uint32_t most)
{
	uint32_t n = wire_u32(w);

	if (n > most)
		wire_fail(w);
	return w->is_failed ? 0 : n;
}

static enum err
get_stop(struct shape *s, struct wire *w)
{
	struct shape_stop stop = { .name = wire_span(w, SHAPE_NAME_MAX) };
	uint8_t by;

	stop.route = wire_u32(w);
	by = wire_u8(w);
	stop.uid = wire_u32(w);
	stop.since = get_time(w);
	stop.until = get_time(w);
	stop.why = wire_span(w, SHAPE_WHY_MAX);
	if (w->is_failed || by >= SHAPE_BY_COUNT || stop.name.n == 0)
		return ERR_CORRUPT;
	stop.by = (enum shape_by)by;
	return shape_stop(s, &stop);
}

static enum err
get_slow(struct shape *s, struct wire *w)
{
	struct shape_slow slow = { .name = wire_span(w, SHAPE_NAME_MAX) };

	slow.rate.count = wire_u32(w);
	slow.rate.period_ms = wire_u32(w);
	slow.window = wire_u32(w);
	slow.since = get_time(w);
	slow.until = get_time(w);
	slow.why = wire_span(w, SHAPE_WHY_MAX);
	if (w->is_failed || slow.name.n == 0 ||
	    slow.rate.count > CONF_RATE_COUNT_MAX ||
	    (slow.rate.count > 0 && slow.rate.period_ms == 0))
		return ERR_CORRUPT;
	return shape_slow(s, &slow);
}

static enum err
get_warm(struct shape *s, struct wire *w)
{
	uint32_t route = wire_u32(w);
	int64_t since = get_time(w);

	if (w->is_failed)
		return ERR_CORRUPT;
	return shape_warm_since(s, route, since) == since ? OK : ERR_CORRUPT;
}

static enum err
check(struct span bytes)
{
	struct wire w, sum;

	if (bytes.n < MAGIC_N + 4 + SUM_N ||
	    memcmp(bytes.p, MAGIC, MAGIC_N) != 0)
		return ERR_CORRUPT;
	wire_init(&sum, span_from(bytes, bytes.n - SUM_N));
	if (wire_u32(&sum) != crc32c(0, bytes.p, bytes.n - SUM_N))
		return ERR_CORRUPT;
	wire_init(&w, span_from(bytes, MAGIC_N));
	return wire_u32(&w) == VERSION ? OK : ERR_VERSION;
}

static enum err
read_all(struct shape *s, struct span bytes)
{
	static const struct {
		enum err (*get)(struct shape *s, struct wire *w);
		uint32_t most;
	} lists[] = {
		{ get_stop, SHAPE_STOPS_MAX }, { get_slow, SHAPE_SLOWS_MAX },
		{ get_warm, SHAPE_WARMS_MAX },
	};
	struct wire w;
	enum err e = check(bytes);

	if (e != OK)
		return e;
	wire_init(&w, span_sub(bytes, MAGIC_N + 4,
	    bytes.n - MAGIC_N - 4 - SUM_N));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (uint32_t n = get_count(&w, lists[i].most);
		    n > 0 && e == OK; n--)
			e = lists[i].get(s, &w);
	return e == OK && wire_done(&w) != OK ? ERR_CORRUPT : e;
}

enum err
shape_read(struct shape *s, struct span bytes)
{
	enum err e = read_all(s, bytes);

	if (e != OK)
		shape_forget(s);
	s->has_changed = false;
	return e;
}
