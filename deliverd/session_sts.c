/*
 * One policy at a time: by MX it is the same for all hosts, and of hosts that
 * the route names each has its own.
 */
#include "deliverd/session_sts.h"

#include <stdio.h>

#include "common/log/log.h"
#include "deliverd/session.h"
#include "deliverd/session_dial.h"
#include "deliverd/sts_ask.h"

/* All of it, with its LFs. */
#define MX_BYTES	STS_MX_MAX

static void
take(struct session *s, const struct sts_answer *a)
{
	struct session_sts *t = &s->sts;
	struct policy_sts *f = &t->facts;

	t->state = SESSION_STS_HAS;
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

/* The session may be gone afterwards. */
static void
on_answer(void *ctx, const struct sts_answer *a)
{
	struct session *s = ctx;

	take(s, a);
	if (!s->sts.is_awaited)
		return;
	s->sts.is_awaited = false;
	session_dial_go(s);
}

/* An address has no policy (RFC 8461 3.4), nor has a domain of none. */
static void
ask(struct session *s, const char *domain)
{
	static const struct sts_answer none = { .is_certain = true };
	static const struct sts_answer lost = {
		.text = SPAN_LIT("out of memory"),
	};
	struct session_sts *t = &s->sts;

	if (t->mx.max == 0)
		buf_init(&t->mx, MX_BYTES);
	(void)span_copy(span_str(domain), t->domain, sizeof(t->domain));
	t->state = SESSION_STS_ASKED;
	if (domain[0] == '\0' || domain[0] == '[')
		take(s, &none);
	else if (sts_ask_question(s->d->sts_ask, domain, on_answer, s) != OK)
		take(s, &lost);
}

void
session_sts_begin(struct session *s)
{
	if (policy_wants_sts(s->route.tls) && route_is_mx(&s->route))
		ask(s, hops_domain(s->hops));
}

/* LMTP is spoken with stores of our own; only a route that names MTA-STS asks
 * it of them. */
static bool
is_exempt(const struct session *s)
{
	return !policy_wants_sts(s->route.tls) || (s->is_lmtp &&
	    s->route.tls != CONF_ROUTE_TLS_STS);
}

bool
session_sts_find(struct session *s)
{
	struct session_sts *t = &s->sts;
	const char *domain = s->is_literal || s->is_unix ? "" : s->host;

	if (is_exempt(s)) {
		t->facts = (struct policy_sts){ .domain = "", .why = "" };
		return true;
	}
	if (!route_is_mx(&s->route) && (t->state != SESSION_STS_HAS ||
	    strcmp(t->domain, domain) != 0))
		ask(s, domain);
	if (t->state != SESSION_STS_HAS) {
		t->is_awaited = true;
		return false;
	}
	t->facts.has_host = sts_mx_has(buf_span(&t->mx), span_str(s->host));
	return true;
}

void
session_sts_note(struct session *s)
{
	const struct policy_sts *f = &s->sts.facts;
	struct log *log = s->d->log;
	const char *why = !f->has_host ? "the policy doesn't name this host" :
	    s->tls == NULL ? "no TLS" : "the certificate is not valid for it";

	if (f->state != POLICY_STS_TESTING ||
	    (f->has_host && s->sts.is_trusted) ||
	    !log_begin(log, LOG_POLICY_TESTING, NULL))
		return;
	log_str(log, "domain", f->domain);
	log_text(log, "host", span_str(s->host));
	log_str(log, "why", why);
	log_end(log);
}

void
session_sts_clear(struct session *s)
{
	if (s->sts.state == SESSION_STS_ASKED)
		sts_ask_cancel(s->d->sts_ask, s);
	buf_clear(&s->sts.mx);
}
