/*
 * procs.def as a table.  The third column of the list names a member of
 * conf.workers, or ONE; WORKERS_… turns it into an expression.
 */
#include "mtad/procs.h"

#include <string.h>

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

/* A rule for all mail, behind which no other one counts. */
static bool
is_for_all(const struct conf_route *r)
{
	return r->to.n == 1 && strcmp(r->to.v[0], "*") == 0 &&
	    r->from.n == 1 && strcmp(r->from.v[0], "*") == 0;
}

/* For policies of MTA-STS, or for tokens. */
static bool
is_of_use_to(const struct conf_route *r)
{
	return r->tls == CONF_ROUTE_TLS_STS ||
	    r->tls == CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS ||
	    r->auth_token_url[0] != '\0';
}

/* Where no rule matches the default policy holds, which looks for MTA-STS. */
static bool
wants_fetchd(const struct conf *conf)
{
	for (size_t i = 0; i < conf->routes.n; i++) {
		const struct conf_route *r = &conf->routes.v[i];

		if (is_of_use_to(r))
			return true;
		if (is_for_all(r))
			return false;
	}
	return true;
}

bool
procs_is_wanted(enum proc_id id, const struct conf *conf)
{
	return id != PROC_FETCHD || wants_fetchd(conf);
}

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
