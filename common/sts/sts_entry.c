#include "common/sts/sts_cache.h"

#include "common/base/wire.h"

void
sts_entry_put(const struct sts_entry *e, struct buf *out)
{
	wire_put_span(out, span_str(e->domain));
	wire_put_span(out, span_str(e->id));
	wire_put_u8(out, (uint8_t)e->mode);
	wire_put_u64(out, (uint64_t)e->fetched_at_ms);
	wire_put_u64(out, (uint64_t)e->expires_at_ms);
	wire_put_span(out, e->mx);
}

/* A policy whose life is longer than any can be was not written by us. */
static bool
is_sane(const struct sts_entry *e)
{
	return domain_check(span_str(e->domain), DOMAIN_UNDERSCORE) == OK &&
	    sts_id_is_valid(span_str(e->id)) &&
	    e->mode <= STS_MODE_ENFORCE && sts_mx_is_list(e->mx) &&
	    (e->mx.n > 0 || e->mode == STS_MODE_NONE) &&
	    e->fetched_at_ms >= 0 && e->expires_at_ms >= e->fetched_at_ms &&
	    e->expires_at_ms - e->fetched_at_ms <=
	    (int64_t)STS_AGE_MAX_S * 1000;
}

enum err
sts_entry_read(struct span bytes, struct sts_entry *out)
{
	struct sts_entry e = { .id = "" };
	struct span domain, id;
	struct wire w;

	wire_init(&w, bytes);
	domain = wire_span(&w, DOMAIN_MAX);
	id = wire_span(&w, STS_ID_SIZE - 1);
	e.mode = (enum sts_mode)wire_u8(&w);
	e.fetched_at_ms = (int64_t)wire_u64(&w);
	e.expires_at_ms = (int64_t)wire_u64(&w);
	e.mx = wire_span(&w, STS_MX_MAX);
	if (wire_done(&w) != OK || domain_lower(domain, e.domain) < 0 ||
	    !span_copy(id, e.id, sizeof(e.id)) || !is_sane(&e))
		return ERR_SYNTAX;
	*out = e;
	return OK;
}
