/*
 * The secrets of rewritten senders (common/mail/srs.h): deliverd has them
 * signed, smtpd checked, and neither sees one.
 */
#ifndef MTAD_KEYD_SRS_KEYS_H
#define MTAD_KEYD_SRS_KEYS_H

#include "common/base/buf.h"
#include "common/ipc/messages.h"

#define SRS_KEYS_MAX	8	/* lines of the file; the first one signs */

struct srs_keys {
	struct buf file;
	struct span keys[SRS_KEYS_MAX];	/* in file */
	unsigned n;
	uint32_t days_max;
};

void srs_keys_init(struct srs_keys *k);
void srs_keys_clear(struct srs_keys *k);	/* overwrites and frees */

/* Those of before are overwritten.  ERR_NOMEM: there is none then. */
enum err srs_keys_take(struct srs_keys *k, const struct msg_srs_keys *m);

/* The answer to M, in the day DAY; its address is in TEXT.  AUTH_BAD: no
 * address of ours, or one that can't be rewritten; AUTH_LATER: there is no
 * secret, or no memory. */
void srs_keys_answer(const struct srs_keys *k, const struct msg_srs_ask *m,
    uint32_t day, struct buf *text, struct msg *out);

#endif
