/*
 * Channel bindings: both ends of a session find the same octets, another
 * session has other ones, and where there are none none are offered (RFC 5929,
 * 9266).  AUTH-16.
 */
#include "common/base/check.h"
#include "common/tls/tls_binding.h"
#include "tests/unit/tls/tls_rig.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#define EXPORTER	(1U << TLS_BINDING_EXPORTER)
#define END_POINT	(1U << TLS_BINDING_END_POINT)
#define UNIQUE		(1U << TLS_BINDING_UNIQUE)

TestSuite(tls_binding, .init = tls_rig_begin, .fini = tls_rig_end);

static const struct pair_names one[] = { { "P-256", "mail.example.org" } };

/* ---- the client's side ---- */

static size_t
client_finds(enum tls_binding kind, uint8_t out[TLS_BINDING_MAX])
{
	unsigned n = 32;
	X509 *x;

	switch (kind) {
	case TLS_BINDING_EXPORTER:
		cr_assert_eq(SSL_export_keying_material(rig.client, out, n,
		    "EXPORTER-Channel-Binding", 24, (const unsigned char *)"",
		    0, 1), 1);
		return n;
	case TLS_BINDING_END_POINT:
		x = SSL_get1_peer_certificate(rig.client);
		cr_assert_eq(X509_digest(x, EVP_sha256(), out, &n), 1);
		X509_free(x);
		return n;
	default:
		return SSL_session_reused(rig.client) == 1
		    ? SSL_get_peer_finished(rig.client, out, TLS_BINDING_MAX)
		    : SSL_get_finished(rig.client, out, TLS_BINDING_MAX);
	}
}

/* All of SET, and no other, are there and the same at both ends. */
static void
expect(unsigned set)
{
	uint8_t here[TLS_BINDING_MAX], there[TLS_BINDING_MAX];
	size_t n;

	cr_expect_eq(tls_bindings(rig.filter), set, "%x",
	    tls_bindings(rig.filter));
	for (unsigned k = 0; k < TLS_BINDING_COUNT; k++) {
		if ((set & 1U << k) == 0) {
			cr_expect_eq(tls_binding(rig.filter, k, here, &n),
			    ERR_NOT_FOUND, "%u", k);
			continue;
		}
		cr_assert_eq(tls_binding(rig.filter, k, here, &n), OK, "%u",
		    k);
		cr_assert_eq(n, client_finds(k, there), "%u", k);
		cr_expect_arr_eq(here, there, n, "%u", k);
	}
}

static void
resuming(SSL *client)
{
	SSL_set_session(client, rig.session);
}

static void
resuming_12(SSL *client)
{
	tls_rig_only_12(client);
	resuming(client);
}

static void
without_extended(SSL *client)
{
	tls_rig_only_12(client);
	SSL_set_options(client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

/* ---- the tests ---- */

Test(tls_binding, of_each_version)
{
	tls_rig_serve(one, 1);
	cr_assert(tls_rig_try(rig.server, NULL));
	expect(EXPORTER | END_POINT);
	cr_assert(tls_rig_try(rig.server, tls_rig_only_12));
	expect(EXPORTER | END_POINT | UNIQUE);
	/* two sessions could be made to have the same ones */
	cr_assert(tls_rig_try(rig.server, without_extended));
	expect(END_POINT);
}

/* With the certificate that was shown then, also when there are others now. */
Test(tls_binding, of_resumed_sessions)
{
	static const struct pair_names both[] = {
		{ "P-256", "mail.example.org" },
		{ "RSA2048", "mail.example.org" },
	};

	tls_rig_serve(both, 2);
	for (int i = 0; i < 2; i++) {
		cr_assert(tls_rig_try(rig.server,
		    i == 0 ? NULL : tls_rig_only_12));
		/* twice: the second ticket was given by the first's session */
		for (int k = 0; k < 2; k++) {
			cr_assert(tls_rig_try(rig.server,
			    i == 0 ? resuming : resuming_12));
			cr_assert_eq(SSL_session_reused(rig.client), 1);
			expect(EXPORTER | END_POINT |
			    (i == 0 ? 0 : UNIQUE));
		}
	}
}

/* Its signature has no hash of its own: RFC 5929 4.1 leaves that open. */
Test(tls_binding, of_ed25519)
{
	static const struct pair_names ed[] = { { "ED25519", "m.example" } };

	tls_rig_serve(ed, 1);
	cr_assert(tls_rig_try(rig.server, NULL));
	expect(EXPORTER);
	cr_assert(tls_rig_try(rig.server, without_extended));
	expect(0);
	cr_assert(tls_rig_try(rig.server, NULL));
	cr_assert(tls_rig_try(rig.server, resuming));
	expect(EXPORTER);
}

Test(tls_binding, another_session_has_another)
{
	uint8_t before[TLS_BINDING_MAX], now[TLS_BINDING_MAX];
	size_t n;

	tls_rig_serve(one, 1);
	for (unsigned k = 0; k < TLS_BINDING_COUNT; k++) {
		cr_assert(tls_rig_try(rig.server, tls_rig_only_12));
		cr_assert_eq(tls_binding(rig.filter, k, before, &n), OK);
		cr_assert(tls_rig_try(rig.server, tls_rig_only_12));
		cr_assert_eq(tls_binding(rig.filter, k, now, &n), OK);
		cr_expect_eq(memcmp(before, now, n) == 0,
		    k == TLS_BINDING_END_POINT, "%u", k);
	}
}
