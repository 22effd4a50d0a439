/*
 * Whether Dovecot is asked about users: between the parent, which says so and
 * makes connections, the link that they are for, and those who ask.
 */
#ifndef MTAD_KEYD_INQUIRY_H
#define MTAD_KEYD_INQUIRY_H

#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "keyd/auth.h"

#define INQUIRY_PATH_MAX ((size_t)4096)	/* as in messages.def */

struct inquiry;

struct inquiry_setup {			/* all borrowed */
	struct loop *loop;
	struct log *log;
	struct channel *parent;
	struct auth *auth;
	void (*on_offer)(void *ctx);	/* auth_offer() may be another */
	void *ctx;
};

/* Asks nobody yet.  ERR_NOMEM. */
enum err inquiry_new(const struct inquiry_setup *setup, struct inquiry **out);

/* Before the auth that it was made with. */
void inquiry_free(struct inquiry **q);

/* Without a descriptor: who is to be asked, nobody if PATH is empty.  With one,
 * which is taken: it was reached. */
void inquiry_take(struct inquiry *q, struct span path, int fd);

#endif
