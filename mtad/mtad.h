/*
 * The parent: one struct for all that it knows, shared by the files of this
 * folder.
 *
 * It reads the configuration, binds ports, starts the other processes and
 * starts them again; it never looks at a byte that came from the network.
 */
#ifndef MTAD_MTAD_MTAD_H
#define MTAD_MTAD_MTAD_H

#include "common/conf/conf.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/loop/deferred.h"
#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/loop/watch.h"
#include "common/os/client_table.h"
#include "common/os/creds.h"
#include "mtad/ports.h"
#include "mtad/procs.h"
#include "mtad/secrets.h"

#define MTAD_CHILDREN_MAX	(4 + 64 + 64)	/* limits of conf.workers */
#define MTAD_ASKERS_MAX		64	/* of reloads: more than sessions of mtactl */
#define MTAD_EXIT_OK		0
#define MTAD_EXIT_FAILED	1		/* configuration or system */
#define MTAD_EXIT_USAGE		2

struct mtad;

/* A process of ours; its place stays when it dies. */
struct child {
	struct mtad *mtad;
	const struct proc_row *row;
	uint16_t index;			/* worker number */
	pid_t pid;			/* 0: not running */
	uint64_t instance;
	struct channel *channel;	/* NULL: not running */
	uint32_t generation;		/* that it said it took over */
	bool is_ready;
	bool is_draining;
	uint32_t restarts;
	int64_t started_at_ms;
	int64_t started_wall_ms;
	int64_t back_off_ms;
	struct timer restart;
	struct timer kill;		/* for what does not end */
	struct timer rejoin;
	uint64_t torn_from[MTAD_CHILDREN_MAX];	/* instances, by place */
};

enum mtad_phase { MTAD_BOOTING, MTAD_SERVING, MTAD_STOPPING };

struct mtad {
	const char *config_path;
	struct conf *conf;
	uint32_t generation;
	enum mtad_phase phase;
	int exit_code;
	int64_t started_wall_ms;

	struct loop *loop;
	struct log *log;
	int log_fd;			/* what children log to */
	struct deferred log_flush;
	struct timer log_retry;
	struct watch *signal_watch;
	int signal_fd;

	bool is_root;
	struct creds_user users[PROC_COUNT];
	gid_t control_group;		/* (gid_t)-1 without root */
	uint64_t files_wanted;		/* descriptors a process may need, … */
	uint64_t files;			/* … and may have */
	int programs[PROC_COUNT];
	const char *environment[8];	/* of children; NULL-terminated */
	int lock_fd;			/* of the pid file; ours alone */
	int shared_lock_fd;		/* the same, read only: children */
	uint32_t next_instance;
	char empty_dir[4096];		/* root of all but queued */
	int control_fd;
	struct client_table *clients;
	struct siphash_key client_key;
	uint32_t client_capacity;
	struct ports ports;
	struct secrets secrets;

	struct child children[MTAD_CHILDREN_MAX];
	size_t child_count;
	struct deferred processes;	/* tell queued who lives */

	/* reload.c */
	enum {
		RELOAD_NONE,
		RELOAD_WORKERS,		/* all but queued take it over */
		RELOAD_QUEUED,		/* it, too */
	} reload;
	bool is_reload_due;		/* asked for during another one */
	uint64_t cookies[MTAD_ASKERS_MAX];
	size_t cookie_count;
	size_t cookies_now;		/* of them: of the reload under way */
	struct buf reload_text;		/* what was said, for who asked */
	struct timer reload_wait;

	/* dovecot.c */
	struct {
		struct timer timer;
		int64_t tried_at_ms;
		bool is_lost;		/* and it was said */
		bool is_served;		/* keyd has an older one */
	} dovecot;

	/* stop.c */
	size_t stop_stage;
	bool is_hurried;
};

#endif
