#include "deliverd/session_sts.h"

#include "common/log/log.h"
#include "deliverd/session.h"
#include "deliverd/session_dial.h"

static void
go_on(void *ctx)
{
	session_dial_go(ctx);
}

void
session_sts_begin(struct session *s)
{
	way_sts_init(&s->sts, s->d->sts_ask, &s->route, go_on, s);
	way_sts_begin(&s->sts, hops_domain(s->hops));
}

bool
session_sts_find(struct session *s)
{
	const struct way_sts_host host = {
		.name = s->host, .is_lmtp = s->is_lmtp,
		.has_none = s->is_literal || s->is_unix,
	};

	return way_sts_find(&s->sts, &host);
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
