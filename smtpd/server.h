/*
 * An smtpd process: its configuration, listeners, sessions, and its way to
 * queued.
 */
#ifndef MTAD_SMTPD_SERVER_H
#define MTAD_SMTPD_SERVER_H

#include "common/loop/listener.h"
#include "common/os/client_table.h"
#include "common/proc/proc.h"
#include "common/route/route_table.h"
#include "smtpd/bodies.h"
#include "smtpd/certificates.h"
#include "smtpd/gate_lists.h"
#include "smtpd/refusal.h"
#include "smtpd/session.h"

#define SERVER_LISTENERS_MAX 256

struct server {
	struct proc *proc;
	struct loop *loop;
	struct log *log;
	const struct conf *conf;
	struct conf_match *match;
	struct route_table *routes;
	struct rx_site site;
	struct client_table *clients;
	struct spool_client spool;
	struct bodies bodies;
	struct certificates certificates;
	struct buf early_ca;		/* `client_ca`, before the start */
	bool has_early_ca;
	struct timer tls_timer;		/* doors wait for certificates */
	struct timer signer_timer;	/* no signatures before it ends */
	struct list sessions;
	struct list tracing;		/* the same, about rewritten senders */
	struct list asking;		/* asking_node: keyd is to answer */
	uint64_t cookie;		/* of the last question to keyd */
	struct list strangers;		/* idle_node: most idle first */
	uint32_t session_count;
	struct list listeners;
	struct ask *ask;
	struct channel *dnsd;		/* NULL while there is none */
	struct gate_lists *gate_lists;
	struct timer gate_timer;	/* the lists are tested again */
	int64_t gate_quiet_until_ms;	/* no line about missing answers */
	struct refusals refusals;	/* in the log */
	struct quotas *quotas;		/* who has used one up */
	uint32_t arrival_count;		/* not yet known clients of proxies */
	struct timer spool_timer;	/* queued is away */
	int64_t spool_gone_at_ms;
	struct buf envelope;		/* of the submission being made */
	struct buf trace_head;
	struct buf trace_tail;
	int64_t zone_slot;		/* quarter of an hour zone_min is for */
	int zone_min;
	bool is_draining;
};

/* What main() hands to proc_main(). */
extern const struct proc_ops server_ops;

/* The session was freed. */
void server_session_over(struct server *sv);

/* A handshake failed: perhaps keyd gives no signatures. */
void server_look_at_signer(struct server *sv);

/* Minutes east of UTC at a wall time. */
int server_zone_min(struct server *sv, int64_t wall_ms);

#endif
