/*
 * What a host has to show (policy), and TLS under a dialogue.
 */
#include "deliverd/session.h"
#include "deliverd/session_auth.h"

#include <stdio.h>

#include "common/tls/tls_client.h"
#include "deliverd/way.h"

static bool
is_certified(const struct session *s)
{
	return s->route.certificate[0] != '\0';
}

bool
session_tls_is_ready(const struct session *s)
{
	return !is_certified(s) || certificates_find(&s->d->certificates,
	    s->route.certificate) != NULL;
}

bool
session_tls_judge(struct session *s, const struct hop_dane *dane)
{
	const struct way_facts facts = {
		.route = &s->route, .requires_tls = s->requires_tls,
		.is_unix = s->is_unix, .dane = dane, .sts = &s->sts.facts,
	};

	s->dane = dane;
	way_judge(&facts, &s->policy);
	return s->policy.need != POLICY_SKIP;
}

/* Without memory for TLS at the start none is made: what may go in clear
 * does. */
enum tx_tls_need
session_tls_need(const struct session *s)
{
	if (s->is_tls_host)
		return TX_TLS_INSIDE;
	switch (s->policy.need) {
	case POLICY_MUST:
		return TX_TLS_MUST;
	case POLICY_MAY:
		return s->is_plain || s->d->tls == NULL ? TX_TLS_NEVER :
		    TX_TLS_MAY;
	case POLICY_CLEAR:
	case POLICY_SKIP:
		break;
	}
	return TX_TLS_NEVER;
}

/* RFC 7672 8.1: a host that publishes TLSA records is asked for by the name
 * that they are at, also when none of them can be used. */
enum err
session_tls_make(struct session *s)
{
	const struct tls_dane dane = {
		.names = { s->dane->names[0], s->dane->names[1] },
		.records = s->dane->records, .n = s->dane->n,
	};
	struct tls_client_peer peer = {
		.host = s->host, .is_address = s->is_literal,
		.is_verified = s->policy.proof == POLICY_PKIX,
		.is_watched = s->sts.facts.state == POLICY_STS_TESTING,
		.port = s->at.port,
	};

	if (s->d->tls == NULL)
		return ERR_NOMEM;
	if (s->policy.proof == POLICY_DANE)
		peer.dane = &dane;
	if (s->policy.proof != POLICY_PKIX && s->dane->base[0] != '\0')
		peer.host = s->dane->base;
	if (is_certified(s)) {
		peer.shown = certificates_find(&s->d->certificates,
		    s->route.certificate);
		if (peer.shown == NULL)
			return ERR_NOT_FOUND;
	}
	return tls_client_connect(s->d->tls, &peer, &s->tls);
}

enum err
session_tls_begin(struct session *s)
{
	enum err e = session_tls_make(s);

	if (e != OK)
		return e;
	e = stream_set_filter(s->stream, tls_filter_base(s->tls));
	if (e != OK)
		tls_filter_free(&s->tls);
	return e;
}

void
session_tls_note(struct session *s)
{
	static const char *const proofs[] = {
		[POLICY_ANY] = "", [POLICY_PKIX] = " verified",
		[POLICY_DANE] = " dane",
	};
	struct tls_facts facts;

	tls_filter_facts(s->tls, &facts);
	s->sts.is_trusted = facts.is_trusted;
	(void)snprintf(s->tls_text, sizeof(s->tls_text), "%s/%s%s",
	    facts.version, facts.cipher, proofs[s->policy.proof]);
}

/* It is said who wants TLS: it may be neither us nor the sender. */
struct span
session_tls_reason(const struct session *s, const struct tx_finding *why,
    char *text, size_t size)
{
	const char *who = s->policy.why;
	struct span words = span_sub(why->text, 0, size / 2);

	if (why->stage != TX_STAGE_TLS || s->policy.need != POLICY_MUST)
		return why->text;
	(void)snprintf(text, size, "%.*s (TLS is demanded %s)", (int)words.n,
	    words.n > 0 ? (const char *)words.p : "", who);
	return span_str(text);
}

bool
session_tls_may_retry(const struct session *s, const struct tx_finding *why)
{
	return why->stage == TX_STAGE_TLS && s->policy.need == POLICY_MAY &&
	    !s->is_tls_host && !s->is_plain;
}
