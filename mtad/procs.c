/*
 * procs.def as a table.  The third column of the list names a member of
 * conf.workers, or ONE; WORKERS_… turns it into an expression.
 */
#include "mtad/procs.h"

const struct proc_row procs[PROC_COUNT] = {
#define PROC(role, name, user, workers, needs, peers, doc) \
	{ PROC_##role, ROLE_##role, name, user, needs, peers, CONF_##role },
#include "common/proc/procs.def"
#undef PROC
};

/* What the third column of the list says. */
#define WORKERS_ONE(conf)	1u
#define WORKERS_smtpd(conf)	((conf)->workers.smtpd)
#define WORKERS_deliverd(conf)	((conf)->workers.deliverd)

uint16_t
procs_workers(enum proc_id id, const struct conf *conf)
{
	switch (id) {
#define PROC(role, name, user, workers, needs, peers, doc) \
	case PROC_##role: \
		return (uint16_t)WORKERS_##workers(conf);
#include "common/proc/procs.def"
#undef PROC
	case PROC_COUNT:
		break;
	}
	return 0;
}
