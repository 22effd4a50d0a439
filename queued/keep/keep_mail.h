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
	const char *damaged;	/* after ERR_CORRUPT: what of it, a sentence */
};

/* One message of K, whose contents are verified whatever comes of them.
 * ERR_CORRUPT: its content or list is damaged, no file is left; ERR_NOT_FOUND:
 * there is none; ERR_FULL, ERR_IO, ERR_NOMEM. */
enum err keep_mail_save(struct keep_mail *w, struct keep_store *k,
    uint64_t id);

#endif
