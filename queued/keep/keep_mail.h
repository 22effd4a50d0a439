/*
 * Messages as files, for whoever can do without a spool: ID.eml has what a
 * next hop would get, ID.json to whom it still has to go.
 *
 * Any program that takes a message and an envelope can hand them in again.
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_MAIL_H
#define MTAD_QUEUED_KEEP_KEEP_MAIL_H

#include "queued/keep/keep_store.h"

struct keep_mail {
	int dir_fd;		/* -1: contents are read, nothing is written */
	uint64_t messages, recipients;
	/* after ERR_CORRUPT: what of it, a sentence; and of a list that was
	 * saved without those who can't be read, how many these are, and
	 * where: a span for each gap with the address before it, one with that
	 * behind it; empty: none was read */
	const char *damaged;
	uint64_t missing;
	struct buf gaps;
};

void keep_mail_init(struct keep_mail *w);
void keep_mail_clear(struct keep_mail *w);

/* One message of K, whose contents are verified whatever comes of them.
 * ERR_CORRUPT: its content or list is damaged, and but for `missing' no file is
 * left; ERR_NOT_FOUND: there is none; ERR_FULL, ERR_IO, ERR_NOMEM. */
enum err keep_mail_save(struct keep_mail *w, struct keep_store *k,
    uint64_t id);

#endif
