/*
 * What outlives the process (docs/SPOOL.md, tlsrpt): all counts, with a sum over
 * them.  What cannot be is refused with the whole: counts are no mail, and begin
 * anew then.
 */
#include "queued/tlsrpt/tlsrpt_impl.h"

#include "common/base/crc32c.h"
#include "common/base/wire.h"

#define MAGIC	"MTADTLR\n"

enum { MAGIC_N = 8, VERSION = 1, SUM_N = 4 };

/* ---- writing ---- */

static void
put_detail(const struct tlsrpt_detail *d, struct buf *out)
{
	wire_put_u8(out, (uint8_t)d->result);
	wire_put_u64(out, d->count);
	for (int i = 0; i < TLSRPT_TEXTS; i++)
		wire_put_span(out, tlsrpt_detail_text(d, (enum tlsrpt_text)i));
}

static void
put_policy(const struct tlsrpt_policy *p, struct buf *out)
{
	struct list *node;

	wire_put_u8(out, (uint8_t)p->kind);
	wire_put_span(out, span_of(p->bytes, p->n_policy));
	wire_put_span(out, span_of(p->bytes + p->n_policy, p->n_patterns));
	wire_put_u64(out, p->successes);
	wire_put_u32(out, p->n_details);
	for (node = list_first(&p->details); node != NULL;
	    node = list_next(&p->details, node))
		put_detail(CONTAINER_OF(node, struct tlsrpt_detail,
		    node), out);
}

static void
put_day(const struct tlsrpt_day *day, struct buf *out)
{
	struct list *node;

	wire_put_u32(out, tlsrpt_day_number(day));
	wire_put_span(out, tlsrpt_day_domain(day));
	wire_put_u64(out, (uint64_t)day->due_at);
	wire_put_u32(out, day->n_policies);
	for (node = list_first(&day->policies); node != NULL;
	    node = list_next(&day->policies, node))
		put_policy(CONTAINER_OF(node, struct tlsrpt_policy,
		    node), out);
}

void
tlsrpt_put(struct tlsrpt *t, struct buf *out)
{
	const struct tlsrpt_day *day;
	size_t cursor = 0;

	buf_add(out, MAGIC, MAGIC_N);
	wire_put_u32(out, VERSION);
	wire_put_u32(out, (uint32_t)map_span_count(&t->days));
	while ((day = map_span_next(&t->days, &cursor)) != NULL)
		put_day(day, out);
	if (!buf_failed(out))
		wire_put_u32(out, crc32c(0, out->p, out->n));
	t->has_changed = buf_failed(out);
}

/* ---- reading ---- */

static enum err
get_detail(struct tlsrpt_policy *p, struct wire *w)
{
	struct span texts[TLSRPT_TEXTS];
	struct tlsrpt_detail *d;
	uint8_t result = wire_u8(w);
	uint64_t count = wire_u64(w);

	for (int i = 0; i < TLSRPT_TEXTS; i++)
		texts[i] = wire_span(w, TLSRPT_TEXT_MAX);
	if (w->is_failed || result == TLSRPT_SUCCESS ||
	    result >= TLSRPT_RESULTS || count > UINT32_MAX)
		return ERR_CORRUPT;
	d = tlsrpt_detail_at(p, (enum tlsrpt_result)result, texts);
	if (d == NULL)
		return ERR_NOMEM;
	d->count += count;
	p->failures += count;
	return OK;
}

static enum err
get_policy(struct tlsrpt_day *day, struct wire *w)
{
	uint8_t kind = wire_u8(w);
	struct span policy = wire_span(w, TLSRPT_POLICY_MAX);
	struct span patterns = wire_span(w, TLSRPT_POLICY_MAX);
	uint64_t successes = wire_u64(w);
	uint32_t n = wire_u32(w);
	struct tlsrpt_policy *p;
	enum err e = OK;

	if (w->is_failed || kind >= TLSRPT_KINDS || successes > UINT32_MAX ||
	    n > TLSRPT_DETAILS_MAX + TLSRPT_RESULTS ||
	    day->n_policies >= TLSRPT_POLICIES_MAX)
		return ERR_CORRUPT;
	p = tlsrpt_policy_at(day, (enum tlsrpt_kind)kind, policy, patterns);
	if (p == NULL)
		return ERR_NOMEM;
	p->successes += successes;
	while (n-- > 0 && e == OK)
		e = get_detail(p, w);
	return e;
}

static enum err
get_day(struct tlsrpt *t, struct wire *w)
{
	uint32_t number = wire_u32(w);
	struct span domain = wire_span(w, TLSRPT_DOMAIN_MAX);
	int64_t due_at = (int64_t)wire_u64(w);
	uint32_t n = wire_u32(w);
	struct tlsrpt_day *day;
	enum err e = OK;

	if (w->is_failed || n > TLSRPT_POLICIES_MAX ||
	    due_at < 0)
		return ERR_CORRUPT;
	if ((day = tlsrpt_day_at(t, number, domain)) == NULL)
		return ERR_NOMEM;
	day->due_at = due_at;
	while (n-- > 0 && e == OK)
		e = get_policy(day, w);
	return e;
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
read_all(struct tlsrpt *t, struct span bytes)
{
	struct wire w;
	uint32_t n;
	enum err e = check(bytes);

	if (e != OK)
		return e;
	wire_init(&w, span_sub(bytes, MAGIC_N + 4,
	    bytes.n - MAGIC_N - 4 - SUM_N));
	n = wire_u32(&w);
	if (n > TLSRPT_DOMAINS_MAX)
		return ERR_CORRUPT;
	while (n-- > 0 && e == OK)
		e = get_day(t, &w);
	return e == OK && wire_done(&w) != OK ? ERR_CORRUPT : e;
}

enum err
tlsrpt_read(struct tlsrpt *t, struct span bytes)
{
	enum err e = read_all(t, bytes);

	if (e != OK)
		tlsrpt_forget_all(t);
	t->has_changed = false;
	return e;
}
