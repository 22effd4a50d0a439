/*
 * The table of children (common/proc/procs.def).
 */
#ifndef MTAD_MTAD_PROCS_H
#define MTAD_MTAD_PROCS_H

#include "common/conf/conf.h"
#include "common/ipc/ipc_words.h"

#include <stddef.h>

#define PROC_NEEDS_CONTROL	1u	/* mtactl's listening socket */
#define PROC_NEEDS_SPOOL	2u	/* the spool is its directory */
#define PROC_NEEDS_NAMES	4u	/* resolv.conf and hosts */
#define PROC_NEEDS_LISTENERS	8u
#define PROC_NEEDS_CLIENTS	16u	/* the shared table of clients */
#define PROC_NEEDS_AUTHORITIES	64u	/* the bundle of certificates */
#define PROC_NEEDS_SECRETS	32u	/* certificates, keys, passwords */
#define PROC_NEEDS_CLIENT_CA	128u	/* authorities of users */

enum proc_id {
#define PROC(role, name, user, workers, needs, peers, doc) PROC_##role,
#include "common/proc/procs.def"
#undef PROC
	PROC_COUNT
};

struct proc_row {
	enum proc_id id;
	enum ipc_role role;
	const char *name;
	const char *user;
	unsigned needs;
	unsigned peers;			/* R_… */
	unsigned reader;		/* enum conf_reader */
};

extern const struct proc_row procs[PROC_COUNT];

/* How many processes of this kind the configuration asks for. */
uint16_t procs_workers(enum proc_id id, const struct conf *conf);

/* Whether CONF needs this kind at all: fetchd is started only for policies
 * and tokens that can ask for it. */
bool procs_is_wanted(enum proc_id id, const struct conf *conf);

#endif
