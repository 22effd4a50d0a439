/*
 * What the parent sends before the start: kept as it came, for nothing is
 * parsed with privileges.
 */
#ifndef MTAD_KEYD_EARLY_H
#define MTAD_KEYD_EARLY_H

#include "common/base/buf.h"
#include "common/ipc/messages.h"

struct early {
	struct buf rows;		/* of `tls_pairs` */
	uint32_t count;
	struct buf hop_rows;		/* of `hop_pairs` */
	uint32_t hop_count;
	struct buf grant_rows;		/* of `hop_grants` */
	uint32_t grant_count;
	struct buf name, file;		/* of `passwords` */
	struct buf dovecot;
};

void early_init(struct early *early);

/* What is none of these is left alone. */
void early_keep(struct early *early, const struct msg *m);

/* There was no memory for some of it. */
bool early_failed(const struct early *early);

/* Overwrites and frees. */
void early_wipe(struct early *early);

#endif
