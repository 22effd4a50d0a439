/*
 * It is said once for each setup; a resolver that does not answer yet is asked
 * again, quietly, until it does.
 */
#include "dnsd/selftest.h"

#include <stdlib.h>

#include "common/dns/dns_wire.h"
#include "common/log/log.h"
#include "common/loop/timer.h"
#include "dnsd/resolve.h"

struct selftest {
	struct log *log;
	struct resolve *resolve;
	struct timer timer;
	uint32_t round;			/* answers to older ones are late */
	bool is_told;			/* that it can't be known */
};

static void
tell(struct selftest *t, const char *reason)
{
	if (!log_begin(t->log, reason == NULL ? LOG_DNS_VALIDATED :
	    LOG_DNS_UNVALIDATED, NULL))
		return;
	if (reason != NULL)
		log_str(t->log, "reason", reason);
	log_end(t->log);
}

static void
ask(void *ctx)
{
	struct selftest *t = ctx;
	const struct msg_dns_ask m = {
		.question = ++t->round, .type = DNS_TYPE_SOA,
		.name = SPAN_LIT("."),
	};

	resolve_ask(t->resolve, t, &m);
}

enum err
selftest_new(struct loop *l, struct log *log, struct resolve *r,
    struct selftest **out)
{
	struct selftest *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ERR_NOMEM;
	t->log = log;
	t->resolve = r;
	if (timer_init(&t->timer, l, ask, t) != OK) {
		free(t);
		return ERR_NOMEM;
	}
	*out = t;
	return OK;
}

void
selftest_free(struct selftest **t)
{
	if (*t == NULL)
		return;
	resolve_forget((*t)->resolve, *t);
	timer_clear(&(*t)->timer);
	free(*t);
	*t = NULL;
}

void
selftest_begin(struct selftest *t, bool is_trusted)
{
	timer_stop(&t->timer);
	t->round++;
	t->is_told = false;
	if (is_trusted)
		timer_start(&t->timer, 0);
	else
		tell(t, "a resolver is neither on this host nor trusted by "
		    "trust-ad in resolv.conf");
}

void
selftest_answer(struct selftest *t, const struct msg_dns_answer *a)
{
	if (a->question != t->round)
		return;
	if (a->status == DNS_TEMPORARY) {
		if (!t->is_told)
			tell(t, "the resolver does not answer for the root");
		t->is_told = true;
		timer_start(&t->timer, SELFTEST_AGAIN_MS);
	} else {
		tell(t, a->is_secure ? NULL :
		    "the resolver does not validate (DNSSEC)");
	}
}
