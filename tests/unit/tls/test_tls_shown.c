/*
 * Certificates that we show: a server that asks gets the one of the route, with
 * a signature that keyd made; sessions are resumed with the same one only (I-07).
 */
#include "common/base/check.h"
#include "common/tls/tls_client.h"
#include "tests/unit/tls/make_client.h"
#include "tests/unit/tls/tls_rig.h"

#include <criterion/criterion.h>
#include <openssl/err.h>

static const struct pair_names kinds[] = {
	{ "RSA2048", "relay" }, { "P-256", "relay" }, { "P-384", "relay" },
	{ "ED25519", "relay" },
};

static struct made hop;
static SSL_CTX *hop_ctx;
static SSL *server;
static struct tls_client *client;
static struct tls_filter *filter;
static struct buf to_server;
static enum stream_filter_end state;
static struct tls_shown *shown[COUNT_OF(kinds)];

/* ---- the next hop ---- */

static int
on_certificate(X509_STORE_CTX *ctx, void *none)
{
	(void)none;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static void
begin(void)
{
	static const struct made_spec spec = { .name = SPAN_LIT("hop") };
	struct why why = { "" };

	tls_rig_begin();
	tls_rig_make_pairs(kinds, COUNT_OF(kinds));
	tls_rig_open_signer();
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		cr_assert_eq(tls_shown_new(buf_span(&rig.pairs.v[i].chain),
		    span_of(rig.pairs.v[i].key_id, SIGN_ID_BYTES),
		    &rig.signer, &shown[i], &why), OK, "%s", why.text);
	make_client(&spec, NULL, &hop);
	hop_ctx = SSL_CTX_new(TLS_server_method());
	cr_assert_eq(SSL_CTX_use_certificate(hop_ctx, hop.x), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(hop_ctx, hop.key), 1);
	SSL_CTX_set_verify(hop_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(hop_ctx, on_certificate, NULL);
	cr_assert_eq(SSL_CTX_set_session_id_context(hop_ctx,
	    (const unsigned char *)"hop", 3), 1);
	cr_assert_eq(tls_client_new(SPAN_NONE, &client), OK);
}

/* In due form: else the session counts as spoilt. */
static void
hang_up(void)
{
	if (server != NULL)
		SSL_set_shutdown(server, SSL_SENT_SHUTDOWN);
	if (filter != NULL)
		tls_filter_base(filter)->ops->end(tls_filter_base(filter),
		    &to_server);
	SSL_free(server);
	server = NULL;
	tls_filter_free(&filter);
	buf_clear(&to_server);
}

static void
end(void)
{
	hang_up();
	tls_client_free(&client);
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		tls_shown_free(&shown[i]);
	SSL_CTX_free(hop_ctx);
	made_clear(&hop);
	tls_rig_end();
}

TestSuite(tls_shown, .init = begin, .fini = end);

/* ---- a handshake ---- */

static bool
pass_to_client(void)
{
	static uint8_t place[TLS_RIG_BIG + STREAM_FILTER_EXTRA];
	struct stream_filter *base = tls_filter_base(filter);
	size_t got = 0;
	char *p;
	long n = BIO_get_mem_data(SSL_get_wbio(server), &p);

	if (n == 0 || state != STREAM_FILTER_ON)
		return false;
	state = base->ops->read(base, span_of(p, (size_t)n), place, &got,
	    &to_server);
	(void)BIO_reset(SSL_get_wbio(server));
	return true;
}

static bool
pass_to_server(void)
{
	char byte;

	if (to_server.n == 0)
		return false;
	BIO_write(SSL_get_rbio(server), to_server.p, (int)to_server.n);
	buf_reset(&to_server);
	if (!SSL_is_init_finished(server))
		(void)SSL_do_handshake(server);
	else
		(void)SSL_read(server, &byte, 1);
	return true;
}

/* Both are content. */
static bool
meet(const struct tls_shown *what, int version)
{
	const struct tls_client_peer peer = {
		.host = "hop.example", .port = 25, .shown = what,
	};
	bool moved = true;

	hang_up();
	buf_init(&to_server, TLS_RIG_BIG);
	state = STREAM_FILTER_ON;
	server = SSL_new(hop_ctx);
	SSL_set_bio(server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(server);
	SSL_set_max_proto_version(server, version);
	cr_assert_eq(tls_client_connect(client, &peer, &filter), OK);
	tls_filter_base(filter)->ops->begin(tls_filter_base(filter),
	    &to_server);
	while (moved) {
		moved = pass_to_server();
		moved = pass_to_client() || moved;
	}
	ERR_clear_error();
	return SSL_is_init_finished(server) && tls_filter_is_open(filter);
}

/* The one of the pair I, or none (-1). */
static bool
has_seen(int i)
{
	X509 *x = SSL_get1_peer_certificate(server);
	EVP_PKEY *key = x != NULL ? X509_get_pubkey(x) : NULL;
	bool is_it = i < 0 ? x == NULL : key != NULL &&
	    EVP_PKEY_eq(key, rig.pairs.v[i].key) == 1;

	EVP_PKEY_free(key);
	X509_free(x);
	return is_it;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

Test(tls_shown, each_kind)
{
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		for (size_t i = 0; i < COUNT_OF(kinds); i++) {
			cr_expect(meet(shown[i], versions[v]), "%zu", i);
			cr_expect_eq(SSL_version(server), versions[v]);
			cr_expect(has_seen((int)i), "%zu %s", i,
			    SSL_get_version(server));
			cr_expect_not(SSL_session_reused(server));
		}
	}
}

/* Who has nothing to show is asked in vain; who is not asked shows nothing. */
Test(tls_shown, only_when_asked)
{
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		cr_expect(meet(NULL, versions[v]));
		cr_expect(has_seen(-1));
	}
	SSL_CTX_set_verify(hop_ctx, SSL_VERIFY_NONE, NULL);
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		cr_expect(meet(shown[0], versions[v]));
		cr_expect(has_seen(-1));
	}
}

/* By the same one alone: another one is somebody else. */
Test(tls_shown, resumption)
{
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		cr_expect(meet(shown[1], versions[v]));
		cr_expect(meet(shown[2], versions[v]));
		cr_expect_not(SSL_session_reused(server));
		cr_expect(meet(NULL, versions[v]));
		cr_expect_not(SSL_session_reused(server));
		cr_expect(meet(shown[1], versions[v]));
		cr_expect(SSL_session_reused(server), "%d", versions[v]);
		cr_expect(has_seen(1));
	}
}

Test(tls_shown, prints_are_told_apart)
{
	cr_expect_eq(strlen(tls_shown_print(shown[0])),
	    TLS_SHOWN_PRINT_SIZE - 1);
	cr_expect_str_neq(tls_shown_print(shown[0]),
	    tls_shown_print(shown[1]));
}

/* keyd has gone: no handshake, and no crash. */
Test(tls_shown, nobody_signs)
{
	tls_rig_close_signer();
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		cr_expect_not(meet(shown[1], versions[v]));
		cr_expect_not(tls_filter_is_open(filter) &&
		    has_seen(1));
		cr_expect_eq(state, STREAM_FILTER_BROKEN);
	}
}

Test(tls_shown, no_certificate)
{
	static const uint8_t id[SIGN_ID_BYTES];
	struct tls_shown *made = NULL;
	struct why why = { "" };

	cr_expect_eq(tls_shown_new(SPAN_LIT("hello"), span_of(id, sizeof(id)),
	    &rig.signer, &made, &why), ERR_SYNTAX);
	cr_expect_neq(why.text[0], '\0');
	cr_expect_eq(tls_shown_new(buf_span(&rig.pairs.v[0].chain),
	    span_of(id, 1), &rig.signer, &made, &why), ERR_SYNTAX);
	cr_expect_null(made);
}
