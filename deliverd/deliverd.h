/*
 * The process that delivers: what its parts share.
 *
 *   queued's leases -> jobs -> pool (by destination) -> session (connection)
 *   -> tx (the dialogue) -> verdict -> queued
 *
 * One thread; nothing here is read or written by another process.
 */
#ifndef MTAD_DELIVERD_DELIVERD_H
#define MTAD_DELIVERD_DELIVERD_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/rng.h"
#include "common/base/siphash.h"
#include "common/proc/proc.h"
#include "deliverd/certificates.h"

struct ask;
struct explains;
struct jobs;
struct pool;
struct settings;
struct sts_ask;
struct tls_client;

struct deliverd {
	struct proc *proc;
	struct loop *loop;
	struct log *log;
	struct channel *queued;		/* NULL while it is away */
	struct channel *dnsd;
	struct channel *keyd;
	struct channel *fetchd;
	struct certificates certificates;	/* keyd's, for next hops */
	struct list asking;		/* sessions: keyd is to answer */
	struct list signing;		/* jobs: keyd is to rewrite */
	struct list dialing;		/* ... the parent */
	uint64_t cookie;		/* of the last question to it */
	struct settings *settings;	/* of the present configuration */
	struct settings *previous;	/* leases of it may be on their way */
	struct tls_client *tls;		/* NULL: no TLS can be made */
	struct ask *ask;
	struct sts_ask *sts_ask;
	struct jobs *jobs;
	struct pool *pool;
	struct explains *explains;
	struct siphash_key seed;
	struct buf early;		/* authorities, before the start */
	struct rng dice;
	bool is_draining;
	bool is_drained;
};

/* After anything that may have been the last thing to wait for. */
void deliverd_check_drained(struct deliverd *d);

#endif
