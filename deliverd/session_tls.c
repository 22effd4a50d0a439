/*
 * What a route demands of TLS, and TLS under a dialogue.
 */
#include "deliverd/session.h"

#include <stdio.h>

#include "common/tls/tls_client.h"

/* A password is given to who can prove that it is the host it is meant for,
 * unless the route says that any TLS will do, or none. */
static bool
is_opportunistic(const struct session *s)
{
	return !s->requires_tls && !session_auth_is_wanted(s) &&
	    (s->route.tls == CONF_ROUTE_TLS_OPPORTUNISTIC ||
	    s->route.tls == CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS);
}

/* Without memory for TLS at the start none is made: what may go in clear
 * does. */
enum tx_tls_need
session_tls_need(const struct session *s)
{
	if (s->is_tls_host)
		return TX_TLS_INSIDE;
	if (s->requires_tls)
		return TX_TLS_MUST;
	if (s->route.tls == CONF_ROUTE_TLS_NONE)
		return TX_TLS_NEVER;
	if (!is_opportunistic(s))
		return TX_TLS_MUST;
	return s->is_plain || s->d->tls == NULL ? TX_TLS_NEVER : TX_TLS_MAY;
}

enum err
session_tls_make(struct session *s)
{
	const struct tls_client_peer peer = {
		.host = s->host, .is_address = s->is_literal,
		.is_verified = s->requires_tls ||
		    s->route.tls == CONF_ROUTE_TLS_VERIFIED ||
		    (session_auth_is_wanted(s) &&
		    s->route.tls != CONF_ROUTE_TLS_REQUIRED &&
		    s->route.tls != CONF_ROUTE_TLS_NONE),
		.port = s->at.port,
	};

	if (s->d->tls == NULL)
		return ERR_NOMEM;
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
	struct tls_facts facts;

	tls_filter_facts(s->tls, &facts);
	(void)snprintf(s->tls_text, sizeof(s->tls_text), "%s/%s%s",
	    facts.version, facts.cipher,
	    facts.is_verified ? " verified" : "");
}

bool
session_tls_may_retry(const struct session *s, const struct tx_finding *why)
{
	return why->stage == TX_STAGE_TLS && is_opportunistic(s) &&
	    !s->is_tls_host && !s->is_plain;
}
