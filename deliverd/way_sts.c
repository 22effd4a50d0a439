/*
 * One policy at a time: by MX it is the same for all hosts, and of hosts that
 * the route names each has its own.
 */
#include "deliverd/way_sts.h"

#include "deliverd/sts_ask.h"

/* All of it, with its LFs. */
#define MX_BYTES	STS_MX_MAX

void
way_sts_init(struct way_sts *t, struct sts_ask *ask,
    const struct route *route, way_sts_fn *fn, void *ctx)
{
	*t = (struct way_sts){ .ask = ask, .route = route, .fn = fn,
		.ctx = ctx, .facts = { .domain = "", .why = "" } };
	buf_init(&t->mx, MX_BYTES);
}

void
way_sts_clear(struct way_sts *t)
{
	if (t->state == WAY_STS_ASKED)
		sts_ask_cancel(t->ask, t);
	t->state = WAY_STS_NONE;
	buf_clear(&t->mx);
}

static void
take(struct way_sts *t, const struct sts_answer *a)
{
	struct policy_sts *f = &t->facts;

	t->state = WAY_STS_HAS;
	buf_reset(&t->mx);
	buf_add_span(&t->mx, a->mx);
	t->trouble = a->trouble;
	*f = (struct policy_sts){ .state = POLICY_STS_NONE,
	    .domain = t->domain, .why = t->why };
	(void)span_copy(a->text, t->why, sizeof(t->why));
	if (!a->is_certain || buf_failed(&t->mx))
		f->state = POLICY_STS_UNKNOWN;
	else if (a->mode == STS_MODE_ENFORCE)
		f->state = POLICY_STS_ENFORCE;
	else if (a->mode == STS_MODE_TESTING)
		f->state = POLICY_STS_TESTING;
}

/* T may be gone afterwards. */
static void
on_answer(void *ctx, const struct sts_answer *a)
{
	struct way_sts *t = ctx;

	take(t, a);
	if (!t->is_awaited)
		return;
	t->is_awaited = false;
	t->fn(t->ctx);
}

/* An address has no policy (RFC 8461 3.4), nor has a domain of none. */
static void
ask(struct way_sts *t, const char *domain)
{
	static const struct sts_answer none = { .is_certain = true };
	static const struct sts_answer lost = {
		.text = SPAN_LIT("out of memory"),
	};

	(void)span_copy(span_str(domain), t->domain, sizeof(t->domain));
	t->state = WAY_STS_ASKED;
	if (domain[0] == '\0' || domain[0] == '[')
		take(t, &none);
	else if (sts_ask_question(t->ask, domain, on_answer, t) != OK)
		take(t, &lost);
}

void
way_sts_begin(struct way_sts *t, const char *domain)
{
	if (policy_wants_sts(t->route->tls) && route_is_mx(t->route))
		ask(t, domain);
}

/* LMTP is spoken with stores of our own; only a route that names MTA-STS asks
 * it of them. */
static bool
is_exempt(const struct way_sts *t, const struct way_sts_host *host)
{
	return !policy_wants_sts(t->route->tls) || (host->is_lmtp &&
	    t->route->tls != CONF_ROUTE_TLS_STS);
}

bool
way_sts_find(struct way_sts *t, const struct way_sts_host *host)
{
	const char *domain = host->has_none ? "" : host->name;

	if (is_exempt(t, host)) {
		t->facts = (struct policy_sts){ .domain = "", .why = "" };
		return true;
	}
	if (!route_is_mx(t->route) && (t->state != WAY_STS_HAS ||
	    strcmp(t->domain, domain) != 0))
		ask(t, domain);
	if (t->state != WAY_STS_HAS) {
		t->is_awaited = true;
		return false;
	}
	t->facts.has_host = sts_mx_has(buf_span(&t->mx),
	    span_str(host->name));
	return true;
}
