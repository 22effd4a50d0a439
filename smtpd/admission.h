/*
 * Whether one more connection may come: limits.connections,
 * limits.connections_per_client and limits.connections_rate, counted over all
 * workers.  A tenth of the
 * places is kept for relay.networks.
 */
#ifndef MTAD_SMTPD_ADMISSION_H
#define MTAD_SMTPD_ADMISSION_H

#include "common/conf/conf.h"
#include "common/os/client_table.h"

enum admission {
	ADMISSION_GRANTED,	/* counted; admission_leave() at its end */
	ADMISSION_CROWD,	/* too many of this client */
	ADMISSION_FULL,		/* too many at all, or of strangers */
};

/* A stranger that had limits.connections_rate of late; else this one is counted
 * for it.  NOW_MS: monotonic. */
bool admission_is_too_fast(struct client_table *table,
    const struct conf *conf, const struct ipaddr *client, bool is_trusted,
    int64_t now_ms);

enum admission admission_enter(struct client_table *table,
    const struct conf *conf, const struct ipaddr *client, bool is_trusted);
void admission_leave(struct client_table *table, const struct ipaddr *client);

#endif
