#include "keyd/relay.h"

#include "common/secret/scram.h"

#include <string.h>

#define ROWS_MAX	((size_t)4 * 1024 * 1024)

void
relay_init(struct relay *r)
{
	buf_init(&r->rows, ROWS_MAX);
	r->count = 0;
}

void
relay_clear(struct relay *r)
{
	if (r->rows.p != NULL)
		explicit_bzero(r->rows.p, r->rows.size);
	buf_clear(&r->rows);
	r->count = 0;
}

enum err
relay_take(struct relay *r, const struct msg_list *rows)
{
	relay_clear(r);
	relay_init(r);
	buf_add_span(&r->rows, rows->bytes);
	if (buf_failed(&r->rows)) {
		relay_clear(r);
		return ERR_NOMEM;
	}
	r->count = rows->n;
	return OK;
}

static bool
find(const struct relay *r, struct span name, struct span *password)
{
	struct msg_list rows = { r->count, buf_span(&r->rows) };
	struct msg_hop_secret row;

	while (msg_next_hop_secret(&rows, &row)) {
		if (!span_equal(row.name, name))
			continue;
		*password = row.password;
		return true;
	}
	return false;
}

static uint8_t
prove(struct span password, const struct msg_hop_ask *m,
    struct relay_answer *store, struct msg_hop_answer *out)
{
	if (m->iterations > RELAY_ITERATIONS_MAX)
		return AUTH_BAD;
	switch (scram_answer(password, m->salt, m->iterations,
	    m->auth_message, store->proof, store->signature)) {
	case OK:
		break;
	case ERR_RANGE:
		return AUTH_BAD;
	default:
		return AUTH_LATER;
	}
	out->proof = span_of(store->proof, sizeof(store->proof));
	out->signature = span_of(store->signature, sizeof(store->signature));
	return AUTH_GOOD;
}

void
relay_ask(const struct relay *r, const struct msg_hop_ask *m,
    struct relay_answer *store, struct msg *out)
{
	struct span password;

	*out = (struct msg){ .type = MSG_hop_answer };
	out->hop_answer.cookie = m->cookie;
	if (!find(r, m->name, &password)) {
		out->hop_answer.result = AUTH_BAD;
	} else if (m->wants_proof) {
		out->hop_answer.result = prove(password, m, store,
		    &out->hop_answer);
	} else {
		out->hop_answer.result = AUTH_GOOD;
		out->hop_answer.password = password;
	}
}
