#include "smtpd/certificates.h"

#include "common/base/check.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"

static const char *const services[CERTIFICATES_SERVICES] = {
	[CONF_SERVICE_MX] = "mx", [CONF_SERVICE_SUBMISSION] = "submission",
};

static void
complain(struct certificates *c, const char *step, const char *why)
{
	if (!log_begin(c->log, LOG_TLS_UNAVAILABLE, NULL))
		return;
	log_str(c->log, "step", step);
	log_str(c->log, "why", why);
	log_end(c->log);
}

void
certificates_init(struct certificates *c, struct log *log)
{
	*c = (struct certificates){ .log = log };
	tls_signer_init(&c->signer);
}

static void
drop_servers(struct certificates *c)
{
	for (size_t i = 0; i < CERTIFICATES_SERVICES; i++)
		tls_server_free(&c->servers[i]);
}

void
certificates_clear(struct certificates *c)
{
	drop_servers(c);
	tls_clients_free(&c->clients);
	tls_signer_close(&c->signer);
}

void
certificates_attach(struct certificates *c, struct channel *keyd)
{
	c->keyd = keyd;
	/* passwords go there */
	channel_keep_secret(keyd);
	certificates_open_signer(c);
}

/* A door of its own for each process that lives. */
void
certificates_open_signer(struct certificates *c)
{
	const struct msg m = { .type = MSG_sign_door };
	int fd;

	if (c->keyd == NULL || c->signer.fd >= 0)
		return;
	if (tls_signer_open(&c->signer, &fd) != OK) {
		complain(c, "asking for a door to keyd", "no descriptor");
		return;
	}
	if (channel_send_fd(c->keyd, &m, fd) != OK)
		tls_signer_close(&c->signer);
}

void
certificates_detach(struct certificates *c)
{
	c->keyd = NULL;
	tls_signer_close(&c->signer);
}

static size_t
read_chains(const struct msg_tls_chains *m,
    struct tls_chain chains[TLS_SERVER_CHAINS_MAX])
{
	struct msg_list left = m->rows;
	struct msg_tls_chain row;
	size_t n = 0;

	while (n < TLS_SERVER_CHAINS_MAX && msg_next_tls_chain(&left, &row))
		chains[n++] = (struct tls_chain){
			row.key_id, row.chain, row.staple,
		};
	return n;
}

/* All or none, so that no service shows what another has given up. */
static enum err
make_servers(struct certificates *c, const struct msg_tls_chains *m,
    struct tls_server *out[CERTIFICATES_SERVICES], struct why *why)
{
	struct tls_chain chains[TLS_SERVER_CHAINS_MAX];
	struct tls_server_setup setup = {
		.tickets = m->tickets, .chains = chains,
		.n = read_chains(m, chains), .signer = &c->signer,
	};
	enum err e = OK;

	for (size_t i = 0; i < CERTIFICATES_SERVICES && e == OK &&
	    setup.n > 0; i++) {
		setup.service = services[i];
		e = tls_server_new(&setup, &out[i], why);
	}
	return e;
}

void
certificates_take(struct certificates *c, const struct msg_tls_chains *m)
{
	struct tls_server *made[CERTIFICATES_SERVICES] = { NULL };
	struct why why = { "" };

	c->has_come = true;
	if (make_servers(c, m, made, &why) != OK) {
		complain(c, "taking over certificates", why.text);
		for (size_t i = 0; i < CERTIFICATES_SERVICES; i++)
			tls_server_free(&made[i]);
		return;
	}
	drop_servers(c);
	memcpy(c->servers, made, sizeof(made));
}

void
certificates_take_client_ca(struct certificates *c, bool is_wanted,
    struct span pem)
{
	struct tls_clients *made = NULL;
	struct why why = { "" };

	if (is_wanted && tls_clients_new(pem, &made, &why) != OK) {
		complain(c, "taking over auth.client_ca", why.text);
		return;
	}
	tls_clients_free(&c->clients);
	c->clients = made;
}

bool
certificates_are_there(const struct certificates *c,
    enum conf_service service)
{
	return c->servers[service] != NULL;
}

bool
certificates_can_sign(const struct certificates *c)
{
	return c->signer.fd >= 0;
}

enum err
certificates_accept(struct certificates *c, enum conf_service service,
    struct tls_filter **out)
{
	struct tls_filter *made;
	enum err e;

	MUST(c->servers[service] != NULL);
	e = tls_server_accept(c->servers[service], &made);
	if (e == OK && c->clients != NULL) {
		e = tls_clients_ask(c->clients, made);
		if (e != OK)
			tls_filter_free(&made);
	}
	if (e == OK)
		*out = made;
	return e;
}
