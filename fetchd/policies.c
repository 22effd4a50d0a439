/*
 * A lookup has a domain, those who asked, and one step under way: the record,
 * or the policy.  The cache (common/sts) decides what is done; here it is
 * done, told and logged.
 *
 * Until queued has told what it kept lookups only gather: a restart must not
 * make us forget that a domain wants its mail encrypted.
 */
#include "fetchd/policies.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/dns/dns_wire.h"
#include "common/ipc/ask.h"
#include "common/ipc/channel.h"
#include "common/log/log.h"
#include "common/loop/timer.h"
#include "common/sts/sts_cache.h"
#include "fetchd/fetch.h"
#include "fetchd/quiet.h"

#define HTTPS_PORT	443
#define STEP_MS		10000		/* of a pass over what is known */
#define STEP_FETCHES	8
#define PASS_MS		3600000		/* from one pass to the next */

/* The numbers travel as they are. */
_Static_assert((int)POLICY_MODE_NONE == (int)STS_MODE_NONE &&
    (int)POLICY_MODE_TESTING == (int)STS_MODE_TESTING &&
    (int)POLICY_MODE_ENFORCE == (int)STS_MODE_ENFORCE, "modes differ");

struct asker {
	struct list node;
	struct channel *channel;
	uint32_t question;
};

struct lookup {
	struct list node;		/* of all */
	struct policies *policies;
	struct list askers;
	bool is_begun;
	bool is_refreshing;		/* nobody waits: it is known */
	bool is_own;			/* … nor asked for it */
	char id[STS_ID_SIZE];		/* of the record; "": none */
	enum policy_trouble trouble;
	char why[256];			/* what that is */
	char domain[DOMAIN_MAX + 1];	/* lower case */
};

struct policies {
	struct policies_parts parts;
	uint16_t port;
	struct sts_cache *cache;
	struct map_span by_domain;
	struct list all;
	size_t n_askers;
	struct channel *queued;
	struct timer wait;		/* for what it kept */
	bool is_restored;
	struct timer pass;		/* over what is to be fetched anew */
	size_t pass_cursor;
	struct quiet quiet;		/* domains that could not be asked */
};

static struct span
domain_of(const void *object)
{
	return span_str(((const struct lookup *)object)->domain);
}

static int64_t
wall(const struct policies *p)
{
	return loop_wall_ms(p->parts.loop);
}

/* ---- answers ---- */

/* POLICY may be NULL; that is certain without TROUBLE. */
static void
tell(struct channel *c, uint32_t question, const struct sts_entry *policy,
    enum policy_trouble trouble, const char *why)
{
	struct msg m = { .type = MSG_policy_answer };
	struct msg_policy_answer *a = &m.policy_answer;

	a->question = question;
	a->is_certain = policy != NULL || trouble == POLICY_TROUBLE_NONE;
	a->trouble = (uint8_t)trouble;
	a->text = span_sub(span_str(why), 0, 255);
	if (policy != NULL) {
		a->mode = (uint8_t)policy->mode;
		a->until_at = (uint64_t)policy->expires_at_ms;
		a->mx = policy->mx;
	}
	channel_send_or_end(c, &m);
}

static void
free_lookup(struct lookup *l)
{
	struct policies *p = l->policies;
	struct list *node;

	while ((node = list_first(&l->askers)) != NULL) {
		list_remove(node);
		free(CONTAINER_OF(node, struct asker, node));
		p->n_askers--;
	}
	ask_cancel(p->parts.ask, l);
	fetch_cancel(p->parts.fetch, l);
	(void)map_span_remove(&p->by_domain, domain_of(l));
	list_remove(&l->node);
	free(l);
}

static void
tell_all(struct lookup *l, const struct sts_entry *policy)
{
	struct policies *p = l->policies;
	struct list *node;

	while ((node = list_first(&l->askers)) != NULL) {
		struct asker *a = CONTAINER_OF(node, struct asker, node);

		tell(a->channel, a->question, policy, l->trouble, l->why);
		list_remove(node);
		free(a);
		p->n_askers--;
	}
}

/* With what is known now. */
static void
finish(struct lookup *l)
{
	tell_all(l, sts_cache_find(l->policies->cache, span_str(l->domain),
	    wall(l->policies)));
	free_lookup(l);
}

/* ---- queued ---- */

static void
keep(struct policies *p, const struct sts_entry *e)
{
	struct msg m = { .type = MSG_policy_keep };
	struct buf record;

	if (p->queued == NULL || e->id[0] == '\0')
		return;
	buf_init(&record, STS_ENTRY_BYTES_MAX);
	sts_entry_put(e, &record);
	m.policy_keep.domain = span_str(e->domain);
	m.policy_keep.until_at = (uint64_t)e->expires_at_ms;
	m.policy_keep.record = buf_span(&record);
	if (!buf_failed(&record))
		channel_send_or_end(p->queued, &m);
	buf_clear(&record);
}

/* ---- the policy's text ---- */

static void
log_policy(const struct lookup *l, const struct sts_policy *policy)
{
	struct log *log = l->policies->parts.log;

	if (!log_begin(log, LOG_POLICY_FETCHED, NULL))
		return;
	log_str(log, "domain", l->domain);
	log_str(log, "id", l->id);
	log_str(log, "mode", sts_mode_name(policy->mode));
	log_u64(log, "max_age", policy->max_age_s);
	log_end(log);
}

static void
set_trouble(struct lookup *l, enum policy_trouble trouble, const char *what,
    struct span more)
{
	more = span_sub(more, 0, 120);
	l->trouble = trouble;
	(void)snprintf(l->why, sizeof(l->why), "the MTA-STS %s of %.100s %s"
	    "%.*s", trouble == POLICY_TROUBLE_RECORD ? "record" : "policy",
	    l->domain, what, (int)more.n, more.n > 0 ? (const char *)more.p :
	    "");
}

static void
fail(struct lookup *l, enum policy_trouble trouble, const char *why)
{
	struct policies *p = l->policies;

	sts_cache_fail(p->cache, span_str(l->domain), wall(p));
	set_trouble(l, trouble, "can't be fetched: ", span_str(why));
	if (log_begin(p->parts.log, LOG_POLICY_FAILED, NULL)) {
		log_str(p->parts.log, "domain", l->domain);
		log_str(p->parts.log, "why", why);
		log_end(p->parts.log);
	}
}

static void
take_text(struct lookup *l, struct span text)
{
	struct policies *p = l->policies;
	struct span domain = span_str(l->domain);
	struct sts_policy policy;
	struct why why = { "no memory" };
	struct buf mx;
	enum err e;

	buf_init(&mx, STS_MX_MAX);
	e = sts_policy_parse(text, &policy, &mx, &why);
	if (e == OK)
		e = sts_cache_store(p->cache, domain, l->id, &policy,
		    buf_span(&mx), wall(p));
	buf_clear(&mx);
	if (e != OK) {
		fail(l, POLICY_TROUBLE_TEXT, why.text);
		return;
	}
	log_policy(l, &policy);
	keep(p, sts_cache_find(p->cache, domain, wall(p)));
}

/* RFC 8461 3.3: nothing but 200 and text/plain is a policy. */
static void
on_fetched(void *ctx, const struct fetch_answer *a)
{
	struct lookup *l = ctx;
	char words[64];

	if (a->status == 0) {
		fail(l, a->is_untrusted ? POLICY_TROUBLE_CERTIFICATE :
		    POLICY_TROUBLE_FETCH, a->text);
	} else if (a->status != 200) {
		(void)snprintf(words, sizeof(words), "HTTP status %u",
		    a->status);
		fail(l, POLICY_TROUBLE_FETCH, words);
	} else if (!sts_is_plain_text(span_str(a->content_type))) {
		fail(l, POLICY_TROUBLE_FETCH, "it is not text/plain");
	} else {
		take_text(l, a->body);
	}
	finish(l);
}

/* False: it has failed already. */
static bool
begin_fetch(struct lookup *l)
{
	struct policies *p = l->policies;
	char url[DOMAIN_MAX + 64], port[8] = "";
	const struct fetch_request r = {
		.url = url, .bytes_max = STS_POLICY_MAX,
		.timeout_ms = POLICIES_FETCH_MS,
	};
	enum err e;

	if (p->port != HTTPS_PORT)
		(void)snprintf(port, sizeof(port), ":%u", p->port);
	(void)snprintf(url, sizeof(url),
	    "https://mta-sts.%s%s/.well-known/mta-sts.txt", l->domain, port);
	e = fetch_start(p->parts.fetch, &r, on_fetched, l);
	if (e != OK)
		fail(l, POLICY_TROUBLE_FETCH, err_text(e));
	return e == OK;
}

/* ---- the record ---- */

/* L may be gone afterwards.  Our own interest keeps nothing in the cache. */
static void
act(struct lookup *l)
{
	struct policies *p = l->policies;
	const struct sts_entry *policy;

	if (l->is_own) {
		if (l->id[0] == '\0' || !begin_fetch(l))
			finish(l);
		return;
	}
	switch (sts_cache_judge(p->cache, span_str(l->domain),
	    l->id[0] == '\0' ? NULL : l->id, wall(p), &policy)) {
	case STS_NONE:
		if (l->id[0] != '\0')
			set_trouble(l, POLICY_TROUBLE_FETCH,
			    "could not be fetched lately", SPAN_NONE);
		break;
	case STS_APPLY:
		break;
	case STS_REFRESH:
		tell_all(l, policy);
		l->is_refreshing = true;
		/* fall through */
	case STS_FETCH:
		if (begin_fetch(l))
			return;
		break;
	}
	finish(l);
}

static void
take_records(struct lookup *l, struct msg_list list)
{
	struct sts_records records = { 0 };
	struct msg_dns_record r;
	const char *id;

	while (msg_next_dns_record(&list, &r))
		if (r.type == DNS_TYPE_TXT)
			sts_records_add(&records, r.data);
	id = sts_records_id(&records);
	if (id != NULL)
		(void)span_copy(span_str(id), l->id, sizeof(l->id));
}

static void
on_record(void *ctx, uint32_t tag, uint16_t type,
    const struct msg_dns_answer *m)
{
	struct lookup *l = ctx;
	struct policies *p = l->policies;

	(void)tag;
	(void)type;
	if (m->status == DNS_OK) {
		take_records(l, m->records);
	} else if (m->status == DNS_TEMPORARY) {
		quiet_set(&p->quiet, p->parts.seed, span_str(l->domain),
		    loop_now_ms(p->parts.loop) + POLICIES_QUIET_MS);
		set_trouble(l, POLICY_TROUBLE_RECORD, "can't be looked up: ",
		    m->text);
	}
	act(l);
}

/* L may be gone afterwards. */
static void
begin(struct lookup *l)
{
	struct policies *p = l->policies;
	char name[DOMAIN_MAX + 16];

	l->is_begun = true;
	(void)snprintf(name, sizeof(name), "_mta-sts.%s", l->domain);
	if (quiet_is(&p->quiet, p->parts.seed, span_str(l->domain),
	    loop_now_ms(p->parts.loop)))
		set_trouble(l, POLICY_TROUBLE_RECORD,
		    "could not be looked up lately", SPAN_NONE);
	else if (strlen(name) >= ASK_NAME_SIZE)
		;			/* no name, no record */
	else if (ask_question(p->parts.ask, name, DNS_TYPE_TXT,
	    POLICIES_DNS_MS, on_record, l, 0) == OK)
		return;
	else
		set_trouble(l, POLICY_TROUBLE_RECORD,
		    "can't be looked up: out of memory", SPAN_NONE);
	act(l);
}

/* ---- askers ---- */

static struct lookup *
make_lookup(struct policies *p, const char *domain)
{
	struct lookup *l;

	if (map_span_count(&p->by_domain) >= POLICIES_LOOKUPS_MAX)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->policies = p;
	list_init(&l->askers);
	(void)span_copy(span_str(domain), l->domain, sizeof(l->domain));
	if (map_span_add(&p->by_domain, l) != OK) {
		free(l);
		return NULL;
	}
	list_add_last(&p->all, &l->node);
	return l;
}

static bool
add_asker(struct lookup *l, struct channel *c, uint32_t question)
{
	struct policies *p = l->policies;
	struct asker *a = p->n_askers >= POLICIES_ASKERS_MAX ? NULL :
	    calloc(1, sizeof(*a));

	if (a == NULL)
		return false;
	a->channel = c;
	a->question = question;
	list_add_last(&l->askers, &a->node);
	p->n_askers++;
	return true;
}

/* What finds no room hears what is known without a look. */
void
policies_ask(struct policies *p, struct channel *c,
    const struct msg_policy_ask *m)
{
	const struct sts_entry *known = sts_cache_find(p->cache, m->domain,
	    wall(p));
	char domain[DOMAIN_MAX + 1];
	struct lookup *l;

	if (domain_check(m->domain, DOMAIN_UNDERSCORE) != OK ||
	    domain_lower(m->domain, domain) < 0) {
		tell(c, m->question, NULL, POLICY_TROUBLE_NONE, "");
		return;
	}
	l = map_span_get(&p->by_domain, span_str(domain));
	if (l == NULL)
		l = make_lookup(p, domain);
	if (l == NULL || (l->is_refreshing && known != NULL) ||
	    !add_asker(l, c, m->question)) {
		tell(c, m->question, known, known != NULL ?
		    POLICY_TROUBLE_NONE : POLICY_TROUBLE_RECORD,
		    "too many questions at a time");
		return;
	}
	if (!l->is_begun && p->is_restored)
		begin(l);
}

void
policies_forget(struct policies *p, const struct channel *c)
{
	for (struct list *n = list_first(&p->all); n != NULL;
	    n = list_next(&p->all, n)) {
		struct lookup *l = CONTAINER_OF(n, struct lookup, node);
		struct list *node, *next;

		for (node = list_first(&l->askers); node != NULL; node = next) {
			struct asker *a = CONTAINER_OF(node, struct asker,
			    node);

			next = list_next(&l->askers, node);
			if (a->channel != c)
				continue;
			list_remove(node);
			free(a);
			p->n_askers--;
		}
	}
}

/* ---- every day ---- */

/* RFC 8461 3.3: lest they expire while somebody keeps us from fetching. */
static void
on_pass(void *ctx)
{
	struct policies *p = ctx;
	const struct sts_entry *e = NULL;
	struct lookup *l;

	for (int i = 0; i < STEP_FETCHES; i++) {
		e = sts_cache_due(p->cache, &p->pass_cursor, wall(p));
		if (e == NULL)
			break;
		if (map_span_get(&p->by_domain, span_str(e->domain)) != NULL ||
		    (l = make_lookup(p, e->domain)) == NULL)
			continue;
		l->is_refreshing = true;
		l->is_own = true;
		begin(l);
	}
	if (e == NULL)
		p->pass_cursor = 0;
	timer_start(&p->pass, e == NULL ? PASS_MS : STEP_MS);
}

/* ---- what was kept ---- */

void
policies_set_queued(struct policies *p, struct channel *c)
{
	const struct sts_entry *e;
	size_t cursor = 0;

	p->queued = c;
	while (c != NULL && (e = sts_cache_next(p->cache, &cursor)) != NULL)
		keep(p, e);
}

/* A record of another version, say, is found anew. */
void
policies_restore(struct policies *p, struct span record)
{
	enum err e = sts_cache_restore(p->cache, record, wall(p));

	if (e == OK || !log_begin(p->parts.log, LOG_POLICY_FAILED, NULL))
		return;
	log_str(p->parts.log, "why", "one that was kept can't be used");
	log_str(p->parts.log, "reason", err_text(e));
	log_end(p->parts.log);
}

/* A look-up under way goes on: it is of no other policy. */
void
policies_forget_domain(struct policies *p, struct span domain)
{
	sts_cache_forget(p->cache, domain);
}

/* Each may be gone when it has begun. */
void
policies_restored(struct policies *p)
{
	struct list *node, *next;

	timer_stop(&p->wait);
	if (p->is_restored)
		return;
	p->is_restored = true;
	timer_start(&p->pass, STEP_MS);
	for (node = list_first(&p->all); node != NULL; node = next) {
		struct lookup *l = CONTAINER_OF(node, struct lookup, node);

		next = list_next(&p->all, node);
		if (!l->is_begun)
			begin(l);
	}
}

/* queued is away: mail can't wait for it. */
static void
on_wait(void *ctx)
{
	policies_restored(ctx);
}

/* ---- life ---- */

enum err
policies_new(const struct policies_parts *parts, struct policies **out)
{
	struct policies *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	p->parts = *parts;
	p->port = HTTPS_PORT;
	list_init(&p->all);
	map_span_init(&p->by_domain, parts->seed, domain_of);
	if (sts_cache_new(parts->seed, &p->cache) != OK ||
	    timer_init(&p->wait, parts->loop, on_wait, p) != OK ||
	    timer_init(&p->pass, parts->loop, on_pass, p) != OK) {
		policies_free(&p);
		return ERR_NOMEM;
	}
	timer_start(&p->wait, POLICIES_WAIT_MS);
	*out = p;
	return OK;
}

void
policies_free(struct policies **policies)
{
	struct policies *p = *policies;
	struct list *node;

	if (p == NULL)
		return;
	while ((node = list_first(&p->all)) != NULL)
		free_lookup(CONTAINER_OF(node, struct lookup, node));
	map_span_clear(&p->by_domain);
	sts_cache_free(&p->cache);
	timer_clear(&p->wait);
	timer_clear(&p->pass);
	free(p);
	*policies = NULL;
}

void
policies_set_port(struct policies *p, uint16_t port)
{
	p->port = port;
}
