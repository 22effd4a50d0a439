/*
 * What deliverds are told and may use: the certificates that we show at next
 * hops.  Their keys are none of those of our own listeners, and nobody but a
 * deliverd can sign with them.
 */
#ifndef MTAD_KEYD_HOPS_H
#define MTAD_KEYD_HOPS_H

#include "common/base/list.h"
#include "keyd/pairs.h"

struct channel;

struct hops {
	struct pairs pairs;
	struct list peers;		/* deliverds */
};

void hops_init(struct hops *h);
void hops_clear(struct hops *h);

/* ROWS of `hop_pairs`; all deliverds are told.  As pairs_load(): the old ones
 * stay when it fails. */
enum err hops_take(struct hops *h, const struct msg_list *rows,
    struct buf *text);

/* A deliverd came, and is told; or is gone.  ERR_NOMEM. */
enum err hops_join(struct hops *h, struct channel *c);
void hops_leave(struct hops *h, const struct channel *c);

#endif
