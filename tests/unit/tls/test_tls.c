/*
 * The server's TLS against a client of OpenSSL's own, in memory: every kind of
 * key, versions, names, protocols, tickets, and what goes wrong (TLS-13,
 * TLS-14, TLS-15).
 */
#include "common/base/check.h"
#include "tests/unit/tls/tls_rig.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

TestSuite(tls, .init = tls_rig_begin, .fini = tls_rig_end);

static const struct pair_names one[] = { { "P-256", "mail.example.org" } };

/* ---- handshakes ---- */

static void
only_11(SSL *client)
{
	SSL_set_min_proto_version(client, TLS1_VERSION);
	SSL_set_max_proto_version(client, TLS1_1_VERSION);
}

Test(tls, every_kind_of_key_and_version)
{
	static const char *const kinds[] = {
		"RSA2048", "P-256", "P-384", "ED25519",
	};

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const struct pair_names names = { kinds[i],
		    "mail.example.org" };

		tls_rig_serve(&names, 1);
		cr_expect(tls_rig_try(rig.server, NULL), "%s", kinds[i]);
		cr_expect_str_eq(SSL_get_version(rig.client), "TLSv1.3");
		cr_expect(tls_rig_try(rig.server, tls_rig_only_12), "%s 1.2",
		    kinds[i]);
		cr_expect_str_eq(SSL_get_version(rig.client), "TLSv1.2");
		tls_rig_end();
		tls_rig_begin();
	}
}

Test(tls, old_versions_are_refused)
{
	tls_rig_serve(one, 1);
	cr_expect_not(tls_rig_try(rig.server, only_11));
	cr_expect_eq(rig.end, STREAM_FILTER_BROKEN);
}

Test(tls, byte_by_byte)
{
	struct stream_filter *base;

	tls_rig_serve(one, 1);
	rig.piece = 1;
	cr_assert(tls_rig_try(rig.server, NULL));
	base = tls_filter_base(rig.filter);
	SSL_write(rig.client, "EHLO here\r\n", 11);
	cr_expect(tls_rig_pass_to_server());
	cr_expect(span_equal(buf_span(&rig.text), SPAN_LIT("EHLO here\r\n")));
	cr_expect_eq(base->ops->write(base, SPAN_LIT("250 ok\r\n"),
	    &rig.to_client), OK);
	cr_expect(tls_rig_pass_to_client());
	{
		char reply[32] = "";

		cr_expect_eq(SSL_read(rig.client, reply, 31), 8);
		cr_expect_str_eq(reply, "250 ok\r\n");
	}
}

/* Many records in one piece, and one that is unfinished at its end. */
Test(tls, large_amounts)
{
	static char bytes[300000];
	static uint8_t got[300000];
	struct stream_filter *base;
	size_t n = 0;
	int one_read;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 % 251);
	tls_rig_serve(one, 1);
	cr_assert(tls_rig_try(rig.server, NULL));
	base = tls_filter_base(rig.filter);
	rig.piece = 60001;
	cr_assert_eq(SSL_write(rig.client, bytes, sizeof(bytes)),
	    (int)sizeof(bytes));
	cr_expect(tls_rig_pass_to_server());
	cr_expect(span_equal(buf_span(&rig.text),
	    span_of(bytes, sizeof(bytes))));
	cr_expect_eq(base->ops->write(base, buf_span(&rig.text),
	    &rig.to_client), OK);
	cr_expect(tls_rig_pass_to_client());
	while ((one_read = SSL_read(rig.client, got + n,
	    (int)(sizeof(got) - n))) > 0)
		n += (size_t)one_read;
	cr_expect_eq(n, sizeof(bytes));
	cr_expect_eq(memcmp(got, bytes, n), 0);
}

/* ---- names, protocols ---- */

static const char *asked_name;

static void
with_name(SSL *client)
{
	SSL_set_tlsext_host_name(client, asked_name);
}

static bool
shows(const char *name)
{
	X509 *x = SSL_get1_peer_certificate(rig.client);
	bool is = x != NULL && X509_check_host(x, name, 0, 0, NULL) == 1;

	X509_free(x);
	return is;
}

Test(tls, the_certificate_of_the_name_that_is_asked_for)
{
	static const struct pair_names names[] = {
		{ "P-256", "mail.example.org" },
		{ "RSA2048", "mail.example.org" },
		{ "P-256", "other.example.org" },
	};
	struct tls_facts facts;

	tls_rig_serve(names, COUNT_OF(names));
	asked_name = "other.example.org";
	cr_expect(tls_rig_try(rig.server, with_name));
	cr_expect(shows("other.example.org"));
	tls_filter_facts(rig.filter, &facts);
	cr_expect_str_eq(facts.server_name, "other.example.org");
	asked_name = "nobody.example.org";
	cr_expect(tls_rig_try(rig.server, with_name));
	cr_expect(shows("mail.example.org"));
	cr_expect(tls_rig_try(rig.server, NULL));
	cr_expect(shows("mail.example.org"));
	/* hostile names only ever miss */
	asked_name = "a\\b\"\x01%s";
	cr_expect(tls_rig_try(rig.server, with_name));
	cr_expect(shows("mail.example.org"));
}

static void
rsa_only(SSL *client)
{
	tls_rig_only_12(client);
	SSL_set_cipher_list(client, "ECDHE-RSA-AES128-GCM-SHA256");
}

static void
ecdsa_only(SSL *client)
{
	tls_rig_only_12(client);
	SSL_set_cipher_list(client, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

Test(tls, rsa_and_ecdsa_side_by_side)
{
	static const struct pair_names names[] = {
		{ "RSA2048", "mail.example.org" },
		{ "P-256", "mail.example.org" },
	};

	tls_rig_serve(names, 2);
	cr_expect(tls_rig_try(rig.server, rsa_only));
	cr_expect(tls_rig_try(rig.server, ecdsa_only));
}

static struct span protocols;

static void
with_protocols(SSL *client)
{
	SSL_set_alpn_protos(client, protocols.p, (unsigned)protocols.n);
}

Test(tls, foreign_protocols_are_refused)	/* T07 */
{
	static const struct {
		struct span offered;
		bool is_good;
	} rows[] = {
		{ SPAN_LIT("\4smtp"), true },
		{ SPAN_LIT("\2h2\4smtp"), true },
		{ SPAN_LIT("\2h2\10http/1.1"), false },
		{ SPAN_LIT("\5smtpx"), false },
		{ SPAN_LIT("\3smt"), false },
	};

	tls_rig_serve(one, 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		protocols = rows[i].offered;
		cr_expect_eq(tls_rig_try(rig.server, with_protocols),
		    rows[i].is_good, "%zu", i);
		cr_expect(rows[i].is_good || rig.end == STREAM_FILTER_BROKEN);
	}
}

/* ---- tickets ---- */

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

static bool
is_resumed(void)
{
	struct tls_facts facts;

	tls_filter_facts(rig.filter, &facts);
	cr_expect_eq(facts.is_resumed, SSL_session_reused(rig.client));
	return facts.is_resumed;
}

Test(tls, a_ticket_is_good_for_its_service_and_secret)	/* TLS-14, T20 */
{
	struct tls_server *again, *submission, *renewed;

	tls_rig_serve(one, 1);
	again = tls_rig_make_server("mx", 1);
	submission = tls_rig_make_server("submission", 1);
	renewed = tls_rig_make_server("mx", 2);
	for (int i = 0; i < 2; i++) {
		void (*with)(SSL *) = i == 0 ? resuming : resuming_12;

		cr_assert(tls_rig_try(rig.server,
		    i == 0 ? NULL : tls_rig_only_12));
		cr_assert_not_null(rig.session);
		cr_expect_not(is_resumed());
		/* another process, or after a reload */
		cr_expect(tls_rig_try(again, with) && is_resumed());
		cr_expect(tls_rig_try(submission, with) && !is_resumed());
		cr_expect(tls_rig_try(rig.server,
		    i == 0 ? NULL : tls_rig_only_12));
		cr_expect(tls_rig_try(renewed, with) && !is_resumed());
	}
	tls_rig_free_client();
	tls_server_free(&again);
	tls_server_free(&submission);
	tls_server_free(&renewed);
}

/* ---- what goes wrong ---- */

Test(tls, without_keyd_there_is_no_handshake_but_resumed_ones)
{
	tls_rig_serve(one, 1);
	cr_assert(tls_rig_try(rig.server, NULL));
	tls_rig_close_signer();
	cr_expect_not(tls_rig_try(rig.server, NULL));
	cr_expect_eq(rig.end, STREAM_FILTER_BROKEN);
	cr_expect(tls_rig_try(rig.server, resuming) && is_resumed());
	/* keyd is back */
	tls_rig_open_signer();
	cr_expect(tls_rig_try(rig.server, NULL));
}

Test(tls, what_is_no_tls_breaks_it)
{
	tls_rig_serve(one, 1);
	cr_assert_eq(tls_server_accept(rig.server, &rig.filter), OK);
	buf_init(&rig.to_client, TLS_RIG_BIG);
	buf_init(&rig.text, TLS_RIG_BIG);
	tls_rig_feed(SPAN_LIT("EHLO example.org\r\nMAIL FROM:<>\r\n"));
	cr_expect_eq(rig.end, STREAM_FILTER_BROKEN);
	cr_expect_eq(rig.text.n, 0);
	cr_expect_str_neq(tls_filter_fault(rig.filter), "");
	/* and for good */
	tls_rig_feed(SPAN_LIT("more"));
	cr_expect_eq(rig.end, STREAM_FILTER_BROKEN);
}

/* Whatever a bit does to the client's flight, nothing comes out as text and
 * nothing dies. */
Test(tls, flipped_bits_in_the_hello)
{
	char *p;
	long n;
	uint8_t hello[2048];

	tls_rig_serve(one, 1);
	tls_rig_new_client();
	(void)SSL_do_handshake(rig.client);
	n = BIO_get_mem_data(SSL_get_wbio(rig.client), &p);
	cr_assert(n > 0 && (size_t)n < sizeof(hello));
	memcpy(hello, p, (size_t)n);
	for (long bit = 0; bit < n * 8; bit += 3) {
		hello[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		tls_filter_free(&rig.filter);
		buf_clear(&rig.to_client);
		buf_clear(&rig.text);
		buf_init(&rig.to_client, TLS_RIG_BIG);
		buf_init(&rig.text, TLS_RIG_BIG);
		cr_assert_eq(tls_server_accept(rig.server, &rig.filter), OK);
		tls_rig_feed(span_of(hello, (size_t)n));
		cr_expect_eq(rig.text.n, 0);
		hello[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
}

Test(tls, renegotiation_is_refused)	/* TLS-15 */
{
	tls_rig_serve(one, 1);
	cr_assert(tls_rig_try(rig.server, tls_rig_only_12));
	cr_expect_eq(SSL_renegotiate(rig.client), 1);
	(void)SSL_do_handshake(rig.client);
	cr_expect(tls_rig_pass_to_server());
	(void)tls_rig_pass_to_client();
	cr_expect_leq(SSL_do_handshake(rig.client), 0);
	ERR_clear_error();
}

Test(tls, the_ends_are_told)
{
	struct stream_filter *base;
	char byte;

	tls_rig_serve(one, 1);
	cr_assert(tls_rig_try(rig.server, NULL));
	base = tls_filter_base(rig.filter);
	base->ops->end(base, &rig.to_client);
	cr_expect(tls_rig_pass_to_client());
	cr_expect_leq(SSL_read(rig.client, &byte, 1), 0);
	cr_expect_eq(SSL_get_shutdown(rig.client), SSL_RECEIVED_SHUTDOWN);
	SSL_shutdown(rig.client);
	cr_expect(tls_rig_pass_to_server());
	cr_expect_eq(rig.end, STREAM_FILTER_EOF);
}
