#include "deliverd/certificates.h"

#include <stdlib.h>
#include <string.h>

#include "common/ipc/channel.h"
#include "common/log/log.h"

void
certificates_init(struct certificates *c)
{
	*c = (struct certificates){ .n = 0 };
	tls_signer_init(&c->signer);
}

static void
drop_all(struct certificates *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].name);
		tls_shown_free(&c->v[i].shown);
	}
	c->n = 0;
}

void
certificates_clear(struct certificates *c)
{
	drop_all(c);
	tls_signer_close(&c->signer);
}

/* It closes when an answer is late (tls_signer.h). */
static void
open_signer(struct certificates *c)
{
	const struct msg m = { .type = MSG_sign_door };
	int fd;

	if (c->keyd == NULL || c->signer.fd >= 0 ||
	    tls_signer_open(&c->signer, &fd) != OK)
		return;
	if (channel_send_fd(c->keyd, &m, fd) != OK)
		tls_signer_close(&c->signer);
}

void
certificates_attach(struct certificates *c, struct channel *keyd)
{
	c->keyd = keyd;
	tls_signer_close(&c->signer);
}

void
certificates_detach(struct certificates *c)
{
	c->keyd = NULL;
	tls_signer_close(&c->signer);
}

static void
complain(struct log *log, struct span name, const char *why)
{
	if (log == NULL || !log_begin(log, LOG_TLS_UNAVAILABLE, NULL))
		return;
	log_str(log, "step", "taking over routes[].tls_certificate");
	log_text(log, "file", name);
	log_str(log, "why", why);
	log_end(log);
}

static void
add(struct certificates *c, struct log *log, const struct msg_hop_chain *row)
{
	struct certificate *made = &c->v[c->n];
	struct why why = { "no memory" };

	made->shown = NULL;
	made->name = strndup((const char *)row->name.p, row->name.n);
	if (made->name != NULL && tls_shown_new(row->chain, row->key_id,
	    &c->signer, &made->shown, &why) == OK) {
		c->n++;
		return;
	}
	complain(log, row->name, why.text);
	free(made->name);
}

void
certificates_take(struct certificates *c, struct log *log,
    const struct msg_hop_chains *m)
{
	struct msg_list left = m->rows;
	struct msg_hop_chain row;

	drop_all(c);
	while (c->n < CERTIFICATES_MAX && msg_next_hop_chain(&left, &row))
		add(c, log, &row);
	open_signer(c);
}

const struct tls_shown *
certificates_find(struct certificates *c, const char *name)
{
	open_signer(c);
	for (size_t i = 0; i < c->n && c->signer.fd >= 0; i++) {
		if (strcmp(c->v[i].name, name) == 0)
			return c->v[i].shown;
	}
	return NULL;
}
