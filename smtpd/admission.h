/*
 * Whether one more connection may come: limits.connections and
 * limits.connections_per_client, counted over all workers.  A tenth of the
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

enum admission admission_enter(struct client_table *table,
    const struct conf *conf, const struct ipaddr *client, bool is_trusted);
void admission_leave(struct client_table *table, const struct ipaddr *client);

#endif
