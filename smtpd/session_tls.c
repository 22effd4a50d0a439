#include "smtpd/session_tls.h"

#include "common/tls/tls_binding.h"
#include "smtpd/server.h"
#include "smtpd/session_log.h"

#include <stdlib.h>

enum err
session_tls_make(struct session *s)
{
	struct certificates *c = &s->server->certificates;

	s->tls_until_ms = loop_now_ms(s->server->loop) + SESSION_TLS_MS;
	if (!certificates_are_there(c, s->service))
		return ERR_AGAIN;
	return certificates_accept(c, s->service, &s->tls);
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

static const enum tls_binding kinds[SASL_BINDING_COUNT] = {
	[SASL_BINDING_EXPORTER] = TLS_BINDING_EXPORTER,
	[SASL_BINDING_END_POINT] = TLS_BINDING_END_POINT,
	[SASL_BINDING_UNIQUE] = TLS_BINDING_UNIQUE,
};

_Static_assert(RX_AUTH_BINDING_MAX == TLS_BINDING_MAX, "room for each");

/* In the dialogue's terms. */
static unsigned
bindings_of(const struct session *s)
{
	const unsigned there = tls_bindings(s->tls);
	unsigned set = 0;

	for (unsigned i = 0; i < SASL_BINDING_COUNT; i++)
		set |= (there >> kinds[i] & 1U) << i;
	return set;
}

void
session_tls_binding(const struct session *s, enum sasl_binding kind,
    uint8_t out[RX_AUTH_BINDING_MAX], size_t *n)
{
	if (s->tls == NULL ||
	    tls_binding(s->tls, kinds[kind], out, n) != OK)
		*n = 0;
}

/* Whether its client showed a certificate, and who it is by that. */
static void
look_at_client(struct session *s)
{
	const struct tls_clients *clients = s->server->certificates.clients;
	struct tls_identity found;
	struct why why = { "" };
	enum err e = clients == NULL ? ERR_NOT_FOUND
	    : tls_clients_look(clients, s->tls, &found, &why);

	if (e == ERR_NOT_FOUND)
		return;
	if (e == OK) {
		s->identity = malloc(sizeof(found));
		if (s->identity == NULL)
			e = why_set(&why, ERR_NOMEM, "no memory");
	}
	if (e != OK) {
		session_log_certificate(s, &found, why.text);
		return;
	}
	*s->identity = found;
	rx_auth_certified(s->rx, span_of(s->identity->user,
	    s->identity->user_n));
}

/* The words are OpenSSL's own and last; the name that was asked for does
 * not. */
void
session_tls_note(struct session *s)
{
	tls_filter_facts(s->tls, &s->facts);
	s->facts.server_name = NULL;
	rx_auth_bindings(s->rx, bindings_of(s));
	look_at_client(s);
}

bool
session_tls_is_shaking(const struct session *s)
{
	return s->tls != NULL && !tls_filter_is_open(s->tls);
}

const char *
session_tls_fault(const struct session *s)
{
	return s->tls != NULL ? tls_filter_fault(s->tls) : NULL;
}

struct span
session_tls_cipher(const struct session *s)
{
	return s->facts.cipher != NULL ? span_str(s->facts.cipher)
	    : SPAN_NONE;
}
