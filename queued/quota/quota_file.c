/*
 * What outlives the process (docs/SPOOL.md, quotas): all that is counted, with a
 * sum over it.  Numbers that cannot be are refused with the whole: counts are no
 * mail, and begin anew then.
 */
#include "queued/quota/quota_impl.h"

#include "common/base/crc32c.h"
#include "common/base/wire.h"

#define MAGIC	"MTADQTA\n"

enum { MAGIC_N = 8, VERSION = 1, SUM_N = 4, ENTRIES_MAX =
    CONF_EACH_COUNT * QUOTA_KNOWN_MAX };

static void
put_window(const struct quota_window *w, const struct conf_rate *limit,
    struct buf *out)
{
	wire_put_u32(out, limit->count);
	wire_put_u32(out, limit->period_ms);
	wire_put_u32(out, w->period_ms);
	wire_put_u32(out, w->here);
	wire_put_u32(out, w->before);
	wire_put_u64(out, (uint64_t)w->begun_at);
}

static void
put_entry(uint8_t each, const struct quota_entry *entry, struct buf *out)
{
	wire_put_u8(out, each);
	wire_put_span(out, span_of(entry->key, entry->key_n));
	for (int i = 0; i < QUOTA_WHATS; i++)
		put_window(&entry->windows[i], &entry->limits[i], out);
	wire_put_u32(out, entry->refused);
}

void
quota_put(struct quota *q, struct buf *out)
{
	uint32_t n = 0;

	for (size_t i = 0; i < CONF_EACH_COUNT; i++)
		n += (uint32_t)map_span_count(&q->known[i]);
	buf_add(out, MAGIC, MAGIC_N);
	wire_put_u32(out, VERSION);
	wire_put_u32(out, n);
	for (uint8_t i = 0; i < CONF_EACH_COUNT; i++) {
		const struct quota_entry *entry;
		size_t cursor = 0;

		while ((entry = map_span_next(&q->known[i], &cursor)) != NULL)
			put_entry(i, entry, out);
	}
	if (!buf_failed(out))
		wire_put_u32(out, crc32c(0, out->p, out->n));
	q->has_changed = buf_failed(out);
}

/* ---- reading ---- */

static void
get_window(struct wire *w, struct quota_window *out, struct conf_rate *limit)
{
	limit->count = wire_u32(w);
	limit->period_ms = wire_u32(w);
	out->period_ms = wire_u32(w);
	out->here = wire_u32(w);
	out->before = wire_u32(w);
	out->begun_at = (int64_t)wire_u64(w);
	if (limit->count > CONF_RATE_COUNT_MAX || out->begun_at < 0 ||
	    (limit->count > 0 && limit->period_ms == 0))
		wire_fail(w);
}

static enum err
get_entry(struct quota *q, struct wire *w)
{
	struct quota_entry read, *entry;
	uint8_t each = wire_u8(w);
	struct span key = wire_span(w, QUOTA_KEY_HEAD + CONF_QUOTA_NAME_MAX);
	struct wire id;

	for (int i = 0; i < QUOTA_WHATS; i++)
		get_window(w, &read.windows[i], &read.limits[i]);
	read.refused = wire_u32(w);
	if (w->is_failed || each >= CONF_EACH_COUNT || key.n < QUOTA_KEY_HEAD)
		return ERR_CORRUPT;
	wire_init(&id, span_sub(key, 0, QUOTA_KEY_HEAD));
	entry = quota_entry_new(q, each, wire_u32(&id),
	    span_from(key, QUOTA_KEY_HEAD));
	if (entry == NULL)
		return ERR_NOMEM;
	memcpy(entry->windows, read.windows, sizeof(read.windows));
	memcpy(entry->limits, read.limits, sizeof(read.limits));
	entry->refused = read.refused;
	return OK;
}

static enum err
check(struct span bytes)
{
	struct wire w, sum;

	if (bytes.n < MAGIC_N + SUM_N || memcmp(bytes.p, MAGIC, MAGIC_N) != 0)
		return ERR_CORRUPT;
	wire_init(&sum, span_from(bytes, bytes.n - SUM_N));
	if (wire_u32(&sum) != crc32c(0, bytes.p, bytes.n - SUM_N))
		return ERR_CORRUPT;
	wire_init(&w, span_from(bytes, MAGIC_N));
	return wire_u32(&w) == VERSION ? OK : ERR_VERSION;
}

static enum err
read_all(struct quota *q, struct span bytes)
{
	struct wire w;
	uint32_t n;
	enum err e = check(bytes);

	if (e != OK)
		return e;
	wire_init(&w, span_sub(bytes, MAGIC_N + 4,
	    bytes.n - MAGIC_N - 4 - SUM_N));
	n = wire_u32(&w);
	if (n > ENTRIES_MAX)
		return ERR_CORRUPT;
	while (n-- > 0 && e == OK)
		e = get_entry(q, &w);
	return e == OK && wire_done(&w) != OK ? ERR_CORRUPT : e;
}

enum err
quota_read(struct quota *q, struct span bytes)
{
	enum err e = read_all(q, bytes);

	if (e != OK)
		quota_forget(q);
	return e;
}
