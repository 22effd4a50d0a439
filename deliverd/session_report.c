/*
 * Each connection is told once: one that is tried again in clear has been told
 * already.  Stores of our own (LMTP) and hosts without a name are nobody's to
 * report to.
 */
#include "deliverd/session_report.h"

#include <sys/socket.h>

#include "common/ipc/channel.h"
#include "common/os/sock.h"
#include "common/tls/tls_blame.h"
#include "deliverd/policy/policy_report.h"
#include "deliverd/session.h"

static const enum policy_end ends[] = {
	[TLS_BLAME_NOTHING] = POLICY_END_BROKEN,
	[TLS_BLAME_NAME] = POLICY_END_NAME,
	[TLS_BLAME_TIME] = POLICY_END_TIME,
	[TLS_BLAME_TRUST] = POLICY_END_TRUST,
};

/* Of ours, as text; empty when there is no connection. */
static struct span
own_address(const struct session *s, char out[IPADDR_TEXT_SIZE])
{
	struct sockaddr_storage own;
	socklen_t size = sizeof(own);
	struct endpoint at;

	if (s->stream == NULL || getsockname(stream_fd(s->stream),
	    (struct sockaddr *)&own, &size) != 0 ||
	    sock_endpoint((struct sockaddr *)&own, size, &at) != OK)
		return (struct span){ 0 };
	return span_of(out, ipaddr_format(&at.addr, out));
}

/* By MX the recipients' domain, else the host itself. */
static struct span
domain_of(const struct session *s)
{
	if (s->hops == NULL || s->is_lmtp || s->is_literal)
		return (struct span){ 0 };
	return route_is_mx(&s->route) ? span_str(hops_domain(s->hops)) :
	    span_str(s->host);
}

static void
send_report(struct session *s, const struct policy_facts *f,
    const struct policy_report *r, struct span why)
{
	char to[IPADDR_TEXT_SIZE], from[IPADDR_TEXT_SIZE];
	struct msg m = { .type = MSG_tls_result };
	struct msg_tls_result *t = &m.tls_result;
	struct span mx = SPAN_NONE;
	struct buf policy;

	buf_init(&policy, POLICY_REPORT_TEXT_MAX);
	if (r->kind == TLSRPT_STS)
		mx = buf_span(&s->sts.mx);
	policy_report_text(f, r->kind, mx, &policy);
	t->domain = domain_of(s);
	t->kind = (uint8_t)r->kind;
	t->result = (uint8_t)r->result;
	t->policy = buf_span(&policy);
	t->patterns = span_sub(mx, 0, POLICY_REPORT_TEXT_MAX);
	t->host = span_str(s->host);
	t->to = span_of(to, ipaddr_format(&s->at.addr, to));
	t->from = own_address(s, from);
	t->why = span_sub(why, 0, 255);
	channel_send_or_end(s->d->queued, &m);
	buf_clear(&policy);
}

static void
report(struct session *s, enum policy_end end, struct span why)
{
	static const enum tlsrpt_result troubles[POLICY_TROUBLE_COUNT] = {
		[POLICY_TROUBLE_NONE] = TLSRPT_STS_FETCH,
		[POLICY_TROUBLE_RECORD] = TLSRPT_STS_INVALID,
		[POLICY_TROUBLE_FETCH] = TLSRPT_STS_FETCH,
		[POLICY_TROUBLE_CERTIFICATE] = TLSRPT_STS_WEBPKI,
		[POLICY_TROUBLE_TEXT] = TLSRPT_STS_INVALID,
	};
	const struct policy_facts f = {
		.tls = s->route.tls, .dane = s->dane, .sts = &s->sts.facts,
	};
	struct policy_report r;

	if (!s->settings->reports_tls || s->d->queued == NULL ||
	    domain_of(s).n == 0 ||
	    !policy_report(&f, end, troubles[s->sts.trouble], &r))
		return;
	if (r.result != TLSRPT_SUCCESS && why.n == 0 &&
	    f.sts->state == POLICY_STS_UNKNOWN)
		why = span_str(f.sts->why);
	send_report(s, &f, &r, why);
}

/* A policy that is testing is told of what it would have stopped. */
static void
report_tested(struct session *s)
{
	if (!s->sts.facts.has_host)
		report(s, POLICY_END_BROKEN,
		    SPAN_LIT("the policy doesn't name this host"));
	else
		report(s, ends[tls_blame(s->tls)], SPAN_LIT("the certificate "
		    "is not valid for the host"));
}

void
session_report_up(struct session *s)
{
	const bool is_tested = s->dane->state == HOP_DANE_NONE &&
	    s->sts.facts.state == POLICY_STS_TESTING;

	if (s->tls != NULL && is_tested &&
	    !(s->sts.facts.has_host && s->sts.is_trusted))
		report_tested(s);
	else if (s->tls != NULL)
		report(s, POLICY_END_TLS, (struct span){ 0 });
	else if (s->policy.need == POLICY_MAY && !s->is_plain)
		report(s, POLICY_END_NONE, (struct span){ 0 });
}

static enum policy_end
end_of(const struct session *s, const struct tx_finding *why)
{
	if (s->tls_text[0] != '\0')
		return POLICY_END_TLS;		/* it lacks something else */
	if (s->tls == NULL)
		return why->code == 0 ? POLICY_END_NONE : POLICY_END_BROKEN;
	return s->policy.proof == POLICY_ANY ? POLICY_END_BROKEN :
	    ends[tls_blame(s->tls)];
}

void
session_report_failed(struct session *s, const struct tx_finding *why)
{
	if (why->stage == TX_STAGE_TLS && s->policy.need != POLICY_SKIP &&
	    !s->is_plain)
		report(s, end_of(s, why), why->text);
}

void
session_report_skipped(struct session *s, struct span why)
{
	report(s, POLICY_END_SKIPPED, why);
}
