#include "tests/unit/tls/tls_rig.h"

#include "common/ipc/messages.h"
#include "tests/unit/keyd/make_pair.h"
#include "tests/unit/tls/signer_thread.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <time.h>

#define DAY	86400L

struct tls_rig rig;

/* ---- the server ---- */

void
tls_rig_make_pairs(const struct pair_names *names, size_t n)
{
	struct buf chain, key, rows, words;
	struct msg_list list = { 0, SPAN_NONE };

	buf_init(&rows, TLS_RIG_BIG);
	buf_init(&words, TLS_RIG_BIG);
	for (size_t i = 0; i < n; i++) {
		struct msg_tls_pair row = { .name = SPAN_LIT("c") };

		buf_init(&chain, TLS_RIG_BIG);
		buf_init(&key, TLS_RIG_BIG);
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
	cr_assert_eq(pairs_load(&list, PAIRS_SERVER, (int64_t)time(NULL),
	    &rig.pairs, &words), OK);
	buf_clear(&rows);
	buf_clear(&words);
}

struct tls_server *
tls_rig_make_server(const char *service, uint8_t secret)
{
	uint8_t tickets[TLS_SERVER_TICKETS_BYTES];
	struct tls_server_setup setup = {
		.service = service, .chains = rig.chains, .n = rig.pairs.n,
		.signer = &rig.signer,
	};
	struct tls_server *server = NULL;
	struct why why = { "" };

	memset(tickets, secret, sizeof(tickets));
	setup.tickets = span_of(tickets, sizeof(tickets));
	for (size_t i = 0; i < rig.pairs.n; i++)
		rig.chains[i] = (struct tls_chain){
			span_of(rig.pairs.v[i].key_id, SIGN_ID_BYTES),
			buf_span(&rig.pairs.v[i].chain),
			buf_span(&rig.pairs.v[i].staple),
		};
	cr_assert_eq(tls_server_new(&setup, &server, &why), OK, "%s",
	    why.text);
	return server;
}

void
tls_rig_open_signer(void)
{
	int fd;

	cr_assert_eq(tls_signer_open(&rig.signer, &fd), OK);
	signer_thread_start(&rig.pairs, fd);
	rig.has_signer = true;
}

void
tls_rig_close_signer(void)
{
	tls_signer_close(&rig.signer);
	if (rig.has_signer)
		signer_thread_join();
	rig.has_signer = false;
}

/* ---- the client ---- */

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(rig.session);
	rig.session = session;
	return 1;
}

void
tls_rig_new_client(void)
{
	rig.client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(rig.client_ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(rig.client_ctx, on_session);
	SSL_CTX_set_security_level(rig.client_ctx, 0);
	rig.client = SSL_new(rig.client_ctx);
	SSL_set_bio(rig.client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(rig.client);
}

void
tls_rig_free_client(void)
{
	tls_filter_free(&rig.filter);
	/* else its session counts as spoilt */
	if (rig.client != NULL)
		SSL_set_shutdown(rig.client, SSL_SENT_SHUTDOWN);
	SSL_free(rig.client);
	SSL_CTX_free(rig.client_ctx);
	rig.client = NULL;
	rig.client_ctx = NULL;
	buf_clear(&rig.to_client);
	buf_clear(&rig.text);
}

void
tls_rig_feed(struct span raw)
{
	static uint8_t place[TLS_RIG_BIG + STREAM_FILTER_EXTRA];
	struct stream_filter *base = tls_filter_base(rig.filter);
	size_t n = 0;

	rig.end = base->ops->read(base, raw, place, &n, &rig.to_client);
	buf_add(&rig.text, place, n);
}

/* All that the client wants to say, in pieces. */
bool
tls_rig_pass_to_server(void)
{
	char *p;
	long n = BIO_get_mem_data(SSL_get_wbio(rig.client), &p);
	struct span raw = span_of(p, (size_t)n);

	if (n == 0)
		return false;
	while (raw.n > 0 && rig.end == STREAM_FILTER_ON) {
		tls_rig_feed(span_sub(raw, 0, rig.piece));
		raw = span_from(raw, rig.piece);
	}
	(void)BIO_reset(SSL_get_wbio(rig.client));
	return true;
}

bool
tls_rig_pass_to_client(void)
{
	if (rig.to_client.n == 0)
		return false;
	BIO_write(SSL_get_rbio(rig.client), rig.to_client.p,
	    (int)rig.to_client.n);
	buf_reset(&rig.to_client);
	return true;
}

/* Until both are content or one gives up; whether the client is connected. */
static bool
shake(void)
{
	char byte;
	bool moved;

	do {
		if (!SSL_is_init_finished(rig.client))
			(void)SSL_do_handshake(rig.client);
		else
			/* takes tickets in */
			(void)SSL_read(rig.client, &byte, 1);
		moved = tls_rig_pass_to_server();
		moved = tls_rig_pass_to_client() || moved;
	} while (moved);
	ERR_clear_error();
	return SSL_is_init_finished(rig.client) &&
	    tls_filter_is_open(rig.filter);
}

void
tls_rig_start(struct tls_server *server, void (*set_up)(SSL *client))
{
	tls_rig_free_client();
	tls_rig_new_client();
	buf_init(&rig.to_client, TLS_RIG_BIG);
	buf_init(&rig.text, TLS_RIG_BIG);
	rig.end = STREAM_FILTER_ON;
	cr_assert_eq(tls_server_accept(server, &rig.filter), OK);
	if (rig.clients != NULL)
		cr_assert_eq(tls_clients_ask(rig.clients, rig.filter), OK);
	if (set_up != NULL)
		set_up(rig.client);
}

bool
tls_rig_try(struct tls_server *server, void (*set_up)(SSL *client))
{
	tls_rig_start(server, set_up);
	return shake();
}

void
tls_rig_begin(void)
{
	tls_signer_init(&rig.signer);
	rig.piece = TLS_RIG_BIG;
}

void
tls_rig_end(void)
{
	tls_rig_free_client();
	SSL_SESSION_free(rig.session);
	rig.session = NULL;
	tls_server_free(&rig.server);
	tls_clients_free(&rig.clients);
	tls_rig_close_signer();
	pairs_clear(&rig.pairs);
}

void
tls_rig_serve(const struct pair_names *names, size_t n)
{
	tls_rig_make_pairs(names, n);
	tls_rig_open_signer();
	rig.server = tls_rig_make_server("mx", 1);
}

void
tls_rig_only_12(SSL *client)
{
	SSL_set_max_proto_version(client, TLS1_2_VERSION);
}
