/*
 * The server's TLS against a client of OpenSSL's own, in memory: every kind of
 * key, versions, names, protocols, tickets, and what goes wrong (TLS-13,
 * TLS-14, TLS-15).
 */
#include "common/base/check.h"
#include "common/ipc/messages.h"
#include "common/tls/tls_server.h"
#include "tests/unit/keyd/make_pair.h"
#include "tests/unit/tls/signer_thread.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>

#define DAY	86400L
#define BIG	((size_t)4 * 1024 * 1024)

struct pair_names {
	const char *kind;
	const char *name;
};

static struct {
	struct pairs pairs;
	struct tls_signer signer;
	bool has_signer;
	struct tls_chain chains[PAIRS_MAX];
	struct tls_server *server;
	struct tls_filter *filter;
	SSL_CTX *client_ctx;
	SSL *client;
	SSL_SESSION *session;		/* the last ticket */
	struct buf to_client;
	struct buf text;		/* read by the server */
	enum stream_filter_end end;
	size_t piece;			/* bytes at a time to the server */
} t;

/* ---- the server ---- */

static void
make_pairs(const struct pair_names *names, size_t n)
{
	struct buf chain, key, rows, words;
	struct msg_list list = { 0, SPAN_NONE };

	buf_init(&rows, BIG);
	buf_init(&words, BIG);
	for (size_t i = 0; i < n; i++) {
		struct msg_tls_pair row = { .name = SPAN_LIT("c") };

		buf_init(&chain, BIG);
		buf_init(&key, BIG);
		make_pair(names[i].kind, names[i].name, 0, 90 * DAY, &chain,
		    &key);
		row.chain = buf_span(&chain);
		row.key = buf_span(&key);
		msg_put_tls_pair(&rows, &row);
		list.n++;
		buf_clear(&chain);
		buf_clear(&key);
	}
	list.bytes = buf_span(&rows);
	cr_assert_eq(pairs_load(&list, (int64_t)time(NULL), &t.pairs, &words),
	    OK);
	buf_clear(&rows);
	buf_clear(&words);
}

static struct tls_server *
make_server(const char *service, uint8_t secret)
{
	uint8_t tickets[TLS_SERVER_TICKETS_BYTES];
	struct tls_server_setup setup = {
		.service = service, .chains = t.chains, .n = t.pairs.n,
		.signer = &t.signer,
	};
	struct tls_server *server = NULL;
	struct why why = { "" };

	memset(tickets, secret, sizeof(tickets));
	setup.tickets = span_of(tickets, sizeof(tickets));
	for (size_t i = 0; i < t.pairs.n; i++)
		t.chains[i] = (struct tls_chain){
			span_of(t.pairs.v[i].key_id, SIGN_ID_BYTES),
			buf_span(&t.pairs.v[i].chain),
			buf_span(&t.pairs.v[i].staple),
		};
	cr_assert_eq(tls_server_new(&setup, &server, &why), OK, "%s",
	    why.text);
	return server;
}

static void
open_signer(void)
{
	int fd;

	cr_assert_eq(tls_signer_open(&t.signer, &fd), OK);
	signer_thread_start(&t.pairs, fd);
	t.has_signer = true;
}

static void
close_signer(void)
{
	tls_signer_close(&t.signer);
	if (t.has_signer)
		signer_thread_join();
	t.has_signer = false;
}

/* ---- the client ---- */

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(t.session);
	t.session = session;
	return 1;
}

static void
new_client(void)
{
	t.client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(t.client_ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t.client_ctx, on_session);
	SSL_CTX_set_security_level(t.client_ctx, 0);
	t.client = SSL_new(t.client_ctx);
	SSL_set_bio(t.client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(t.client);
}

static void
free_client(void)
{
	tls_filter_free(&t.filter);
	/* else its session counts as spoilt */
	if (t.client != NULL)
		SSL_set_shutdown(t.client, SSL_SENT_SHUTDOWN);
	SSL_free(t.client);
	SSL_CTX_free(t.client_ctx);
	t.client = NULL;
	t.client_ctx = NULL;
	buf_clear(&t.to_client);
	buf_clear(&t.text);
}

static void
feed(struct span raw)
{
	static uint8_t place[BIG + STREAM_FILTER_EXTRA];
	struct stream_filter *base = tls_filter_base(t.filter);
	size_t n = 0;

	t.end = base->ops->read(base, raw, place, &n, &t.to_client);
	buf_add(&t.text, place, n);
}

/* All that the client wants to say, in pieces. */
static bool
pass_to_server(void)
{
	char *p;
	long n = BIO_get_mem_data(SSL_get_wbio(t.client), &p);
	struct span raw = span_of(p, (size_t)n);

	if (n == 0)
		return false;
	while (raw.n > 0 && t.end == STREAM_FILTER_ON) {
		feed(span_sub(raw, 0, t.piece));
		raw = span_from(raw, t.piece);
	}
	(void)BIO_reset(SSL_get_wbio(t.client));
	return true;
}

static bool
pass_to_client(void)
{
	if (t.to_client.n == 0)
		return false;
	BIO_write(SSL_get_rbio(t.client), t.to_client.p,
	    (int)t.to_client.n);
	buf_reset(&t.to_client);
	return true;
}

/* Until both are content or one gives up; whether the client is connected. */
static bool
shake(void)
{
	char byte;
	bool moved;

	do {
		if (!SSL_is_init_finished(t.client))
			(void)SSL_do_handshake(t.client);
		else
			/* takes tickets in */
			(void)SSL_read(t.client, &byte, 1);
		moved = pass_to_server();
		moved = pass_to_client() || moved;
	} while (moved);
	ERR_clear_error();
	return SSL_is_init_finished(t.client) &&
	    tls_filter_is_open(t.filter);
}

/* A new connection; SET_UP changes the client before. */
static bool
try(struct tls_server *server, void (*set_up)(SSL *client))
{
	free_client();
	new_client();
	buf_init(&t.to_client, BIG);
	buf_init(&t.text, BIG);
	t.end = STREAM_FILTER_ON;
	cr_assert_eq(tls_server_accept(server, &t.filter), OK);
	if (set_up != NULL)
		set_up(t.client);
	return shake();
}

static void
begin(void)
{
	tls_signer_init(&t.signer);
	t.piece = BIG;
}

static void
end(void)
{
	free_client();
	SSL_SESSION_free(t.session);
	t.session = NULL;
	tls_server_free(&t.server);
	close_signer();
	pairs_clear(&t.pairs);
}

TestSuite(tls, .init = begin, .fini = end);

static void
serve(const struct pair_names *names, size_t n)
{
	make_pairs(names, n);
	open_signer();
	t.server = make_server("mx", 1);
}

static const struct pair_names one[] = { { "P-256", "mail.example.org" } };

/* ---- handshakes ---- */

static void
only_12(SSL *client)
{
	SSL_set_max_proto_version(client, TLS1_2_VERSION);
}

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

		serve(&names, 1);
		cr_expect(try(t.server, NULL), "%s", kinds[i]);
		cr_expect_str_eq(SSL_get_version(t.client), "TLSv1.3");
		cr_expect(try(t.server, only_12), "%s 1.2", kinds[i]);
		cr_expect_str_eq(SSL_get_version(t.client), "TLSv1.2");
		end();
		begin();
	}
}

Test(tls, old_versions_are_refused)
{
	serve(one, 1);
	cr_expect_not(try(t.server, only_11));
	cr_expect_eq(t.end, STREAM_FILTER_BROKEN);
}

Test(tls, byte_by_byte)
{
	struct stream_filter *base;

	serve(one, 1);
	t.piece = 1;
	cr_assert(try(t.server, NULL));
	base = tls_filter_base(t.filter);
	SSL_write(t.client, "EHLO here\r\n", 11);
	cr_expect(pass_to_server());
	cr_expect(span_equal(buf_span(&t.text), SPAN_LIT("EHLO here\r\n")));
	cr_expect_eq(base->ops->write(base, SPAN_LIT("250 ok\r\n"),
	    &t.to_client), OK);
	cr_expect(pass_to_client());
	{
		char reply[32] = "";

		cr_expect_eq(SSL_read(t.client, reply, 31), 8);
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
	serve(one, 1);
	cr_assert(try(t.server, NULL));
	base = tls_filter_base(t.filter);
	t.piece = 60001;
	cr_assert_eq(SSL_write(t.client, bytes, sizeof(bytes)),
	    (int)sizeof(bytes));
	cr_expect(pass_to_server());
	cr_expect(span_equal(buf_span(&t.text),
	    span_of(bytes, sizeof(bytes))));
	cr_expect_eq(base->ops->write(base, buf_span(&t.text), &t.to_client),
	    OK);
	cr_expect(pass_to_client());
	while ((one_read = SSL_read(t.client, got + n,
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
	X509 *x = SSL_get1_peer_certificate(t.client);
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

	serve(names, COUNT_OF(names));
	asked_name = "other.example.org";
	cr_expect(try(t.server, with_name));
	cr_expect(shows("other.example.org"));
	tls_filter_facts(t.filter, &facts);
	cr_expect_str_eq(facts.server_name, "other.example.org");
	asked_name = "nobody.example.org";
	cr_expect(try(t.server, with_name));
	cr_expect(shows("mail.example.org"));
	cr_expect(try(t.server, NULL));
	cr_expect(shows("mail.example.org"));
	/* hostile names only ever miss */
	asked_name = "a\\b\"\x01%s";
	cr_expect(try(t.server, with_name));
	cr_expect(shows("mail.example.org"));
}

static void
rsa_only(SSL *client)
{
	only_12(client);
	SSL_set_cipher_list(client, "ECDHE-RSA-AES128-GCM-SHA256");
}

static void
ecdsa_only(SSL *client)
{
	only_12(client);
	SSL_set_cipher_list(client, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

Test(tls, rsa_and_ecdsa_side_by_side)
{
	static const struct pair_names names[] = {
		{ "RSA2048", "mail.example.org" },
		{ "P-256", "mail.example.org" },
	};

	serve(names, 2);
	cr_expect(try(t.server, rsa_only));
	cr_expect(try(t.server, ecdsa_only));
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

	serve(one, 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		protocols = rows[i].offered;
		cr_expect_eq(try(t.server, with_protocols), rows[i].is_good,
		    "%zu", i);
		cr_expect(rows[i].is_good || t.end == STREAM_FILTER_BROKEN);
	}
}

/* ---- tickets ---- */

static void
resuming(SSL *client)
{
	SSL_set_session(client, t.session);
}

static void
resuming_12(SSL *client)
{
	only_12(client);
	resuming(client);
}

static bool
is_resumed(void)
{
	struct tls_facts facts;

	tls_filter_facts(t.filter, &facts);
	cr_expect_eq(facts.is_resumed, SSL_session_reused(t.client));
	return facts.is_resumed;
}

Test(tls, a_ticket_is_good_for_its_service_and_secret)	/* TLS-14, T20 */
{
	struct tls_server *again, *submission, *renewed;

	serve(one, 1);
	again = make_server("mx", 1);
	submission = make_server("submission", 1);
	renewed = make_server("mx", 2);
	for (int i = 0; i < 2; i++) {
		void (*with)(SSL *) = i == 0 ? resuming : resuming_12;

		cr_assert(try(t.server, i == 0 ? NULL : only_12));
		cr_assert_not_null(t.session);
		cr_expect_not(is_resumed());
		/* another process, or after a reload */
		cr_expect(try(again, with) && is_resumed());
		cr_expect(try(submission, with) && !is_resumed());
		cr_expect(try(t.server, i == 0 ? NULL : only_12));
		cr_expect(try(renewed, with) && !is_resumed());
	}
	free_client();
	tls_server_free(&again);
	tls_server_free(&submission);
	tls_server_free(&renewed);
}

/* ---- what goes wrong ---- */

Test(tls, without_keyd_there_is_no_handshake_but_resumed_ones)
{
	serve(one, 1);
	cr_assert(try(t.server, NULL));
	close_signer();
	cr_expect_not(try(t.server, NULL));
	cr_expect_eq(t.end, STREAM_FILTER_BROKEN);
	cr_expect(try(t.server, resuming) && is_resumed());
	/* keyd is back */
	open_signer();
	cr_expect(try(t.server, NULL));
}

Test(tls, what_is_no_tls_breaks_it)
{
	serve(one, 1);
	cr_assert_eq(tls_server_accept(t.server, &t.filter), OK);
	buf_init(&t.to_client, BIG);
	buf_init(&t.text, BIG);
	feed(SPAN_LIT("EHLO example.org\r\nMAIL FROM:<>\r\n"));
	cr_expect_eq(t.end, STREAM_FILTER_BROKEN);
	cr_expect_eq(t.text.n, 0);
	cr_expect_str_neq(tls_filter_fault(t.filter), "");
	/* and for good */
	feed(SPAN_LIT("more"));
	cr_expect_eq(t.end, STREAM_FILTER_BROKEN);
}

/* Whatever a bit does to the client's flight, nothing comes out as text and
 * nothing dies. */
Test(tls, flipped_bits_in_the_hello)
{
	char *p;
	long n;
	uint8_t hello[2048];

	serve(one, 1);
	new_client();
	(void)SSL_do_handshake(t.client);
	n = BIO_get_mem_data(SSL_get_wbio(t.client), &p);
	cr_assert(n > 0 && (size_t)n < sizeof(hello));
	memcpy(hello, p, (size_t)n);
	for (long bit = 0; bit < n * 8; bit += 3) {
		hello[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		tls_filter_free(&t.filter);
		buf_clear(&t.to_client);
		buf_clear(&t.text);
		buf_init(&t.to_client, BIG);
		buf_init(&t.text, BIG);
		cr_assert_eq(tls_server_accept(t.server, &t.filter), OK);
		feed(span_of(hello, (size_t)n));
		cr_expect_eq(t.text.n, 0);
		hello[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
}

Test(tls, renegotiation_is_refused)	/* TLS-15 */
{
	serve(one, 1);
	cr_assert(try(t.server, only_12));
	cr_expect_eq(SSL_renegotiate(t.client), 1);
	(void)SSL_do_handshake(t.client);
	cr_expect(pass_to_server());
	(void)pass_to_client();
	cr_expect_leq(SSL_do_handshake(t.client), 0);
	ERR_clear_error();
}

Test(tls, the_ends_are_told)
{
	struct stream_filter *base;
	char byte;

	serve(one, 1);
	cr_assert(try(t.server, NULL));
	base = tls_filter_base(t.filter);
	base->ops->end(base, &t.to_client);
	cr_expect(pass_to_client());
	cr_expect_leq(SSL_read(t.client, &byte, 1), 0);
	cr_expect_eq(SSL_get_shutdown(t.client), SSL_RECEIVED_SHUTDOWN);
	SSL_shutdown(t.client);
	cr_expect(pass_to_server());
	cr_expect_eq(t.end, STREAM_FILTER_EOF);
}
