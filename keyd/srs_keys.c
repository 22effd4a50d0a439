#include "keyd/srs_keys.h"

#include "common/mail/srs.h"
#include "common/secret/scram.h"

#include <string.h>

#define FILE_MAX	((size_t)8192)	/* as in messages.def */

_Static_assert((int)SRS_MAC_BYTES == (int)SCRAM_KEY_BYTES, "one HMAC");

void
srs_keys_init(struct srs_keys *k)
{
	*k = (struct srs_keys){ .n = 0 };
	buf_init(&k->file, FILE_MAX);
}

void
srs_keys_clear(struct srs_keys *k)
{
	if (k->file.p != NULL)
		explicit_bzero(k->file.p, k->file.size);
	buf_clear(&k->file);
	k->n = 0;
}

enum err
srs_keys_take(struct srs_keys *k, const struct msg_srs_keys *m)
{
	struct span rest;

	srs_keys_clear(k);
	srs_keys_init(k);
	k->days_max = m->days_max;
	buf_add_span(&k->file, m->file);
	if (buf_failed(&k->file)) {
		srs_keys_clear(k);
		return ERR_NOMEM;
	}
	rest = buf_span(&k->file);
	while (rest.n > 0 && k->n < SRS_KEYS_MAX) {
		struct span line = span_sub(rest, 0, span_find(rest, '\n'));

		rest = span_from(rest, line.n + 1);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > 0)
			k->keys[k->n++] = line;
	}
	return OK;
}

static bool
mac(void *ctx, unsigned key, struct span text, uint8_t out[SRS_MAC_BYTES])
{
	const struct srs_keys *k = ctx;

	return scram_hmac(k->keys[key], text, out);
}

void
srs_keys_answer(const struct srs_keys *k, const struct msg_srs_ask *m,
    uint32_t day, struct buf *text, struct msg *out)
{
	struct srs_keys keys = *k;
	const struct srs srs = {
		.mac = mac, .ctx = &keys, .n_keys = k->n, .day = day,
		.days_max = k->days_max,
	};
	enum err e = ERR_NOT_FOUND;

	if (k->n > 0)
		e = m->is_reverse ? srs_reverse(&srs, m->address, text) :
		    srs_forward(&srs, m->address, m->domain, text);
	*out = (struct msg){ .type = MSG_srs_answer };
	out->srs_answer.cookie = m->cookie;
	out->srs_answer.result = e == OK ? AUTH_GOOD :
	    e == ERR_NOMEM || e == ERR_NOT_FOUND ? AUTH_LATER : AUTH_BAD;
	if (e == OK)
		out->srs_answer.address = buf_span(text);
}
