/*
 * A query lives from the first who asks it to its last answer:
 *
 *	waiting -> asked -> told, gone			the usual way
 *	waiting -> told, gone				no room in its time
 *	asked -> told, stale -> gone			no answer in its time
 *
 * A question in flight can't be taken back from c-ares, so a query that ran
 * out of time stays, stale and known to nobody, until c-ares lets go of it.
 */
#include "dnsd/resolve.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/text.h"
#include "common/dns/dns_cache.h"
#include "common/log/log.h"
#include "common/loop/deferred.h"
#include "common/loop/timer.h"
#include "common/os/random.h"
#include "dnsd/answer.h"
#include "dnsd/hosts.h"
#include "dnsd/transport.h"

#define ANSWER_BYTES ((size_t)256 * 1024)

enum query_state { QUERY_WAITING, QUERY_ASKED, QUERY_STALE };

/* Somebody to be told. */
struct waiter {
	struct list node;
	void *asker;
	uint32_t question;
};

/* A question to the name servers, for all who ask it. */
struct query {
	struct list node;		/* of resolve's list of its state */
	struct list due;		/* of all that are to be told */
	struct resolve *r;
	enum query_state state;
	int64_t due_at_ms;
	struct list waiters;
	uint16_t type;
	size_t key_n;			/* type and name in lower case */
	uint8_t key[2 + DNS_NAME_SIZE];
};

struct resolve {
	struct loop *loop;
	struct log *log;
	resolve_fn *fn;
	void *ctx;
	struct siphash_key seed;
	struct hosts *hosts;
	struct dns_cache *cache;
	struct transport *transport;
	int64_t timeout_ms;
	bool is_trusted;
	bool is_ending;
	bool is_switching;		/* to other name servers */
	struct map_span queries;	/* by key; none that is stale */
	struct list waiting;		/* for room in flight */
	struct list asked;
	struct list stale;		/* told, but still in flight */
	struct list due;		/* the one due first */
	unsigned n_waiters;
	struct timer timer;
	struct deferred work;
	struct buf buf;			/* of the answer being told */
	struct dns_wire_answer answer;	/* being read */
};

/* The key is the type in two octets, then the name. */
static struct span
query_name(const struct query *q)
{
	return span_of(q->key + 2, q->key_n - 2);
}

static struct span
key_of(const void *object)
{
	const struct query *q = object;

	return span_of(q->key, q->key_n);
}

/* NAME is at most 253 octets: is_askable() has seen to it. */
static size_t
make_key(struct span name, uint16_t type, uint8_t out[2 + DNS_NAME_SIZE])
{
	out[0] = (uint8_t)(type >> 8);
	out[1] = (uint8_t)type;
	text_lower(name, out + 2);
	return 2 + name.n;
}

/* ---- telling ---- */

/* QUESTION is the asker's own number for it. */
static void
tell_one(struct resolve *r, void *asker, uint32_t question,
    struct msg_dns_answer *answer)
{
	answer->question = question;
	if (!r->is_ending)
		r->fn(r->ctx, asker, answer);
}

/* The list is taken apart from its front, so it doesn't matter what the callee
 * does to others. */
static void
tell_all(struct resolve *r, struct query *q, struct msg_dns_answer *answer)
{
	struct list *node;

	while ((node = list_take_first(&q->waiters)) != NULL) {
		struct waiter *w = CONTAINER_OF(node, struct waiter, node);

		tell_one(r, w->asker, w->question, answer);
		r->n_waiters--;
		free(w);
	}
}

/* Once for a query, however many have asked it. */
static void
log_failure(struct resolve *r, const struct query *q, struct span text)
{
	if (!log_begin(r->log, LOG_DNS_FAILED, NULL))
		return;
	log_text(r->log, "name", query_name(q));
	log_u64(r->log, "type", q->type);
	log_text(r->log, "reason", text);
	log_end(r->log);
}

/* ---- queries ---- */

/* Makes room in flight, perhaps: those that wait are looked at. */
static void
free_query(struct resolve *r, struct query *q)
{
	if (q->state != QUERY_STALE)
		(void)map_span_remove(&r->queries, key_of(q));
	list_remove(&q->node);
	list_remove(&q->due);
	free(q);
	deferred_add(&r->work);
}

/* Tells all and frees Q. */
static void
end_query(struct resolve *r, struct query *q, struct msg_dns_answer *answer)
{
	if (answer->status == DNS_TEMPORARY)
		log_failure(r, q, answer->text);
	tell_all(r, q, answer);
	free_query(r, q);
}

/* From c-ares, maybe from inside transport_ask() or transport_free().  WHY is
 * set when PACKET is empty. */
static void
on_packet(void *ctx, struct span packet, const char *why)
{
	struct query *q = ctx;
	struct resolve *r = q->r;
	struct msg_dns_answer answer;

	/* the old transport gives back what it had: it is asked anew, and its
	 * time goes on */
	if (r->is_switching && q->state == QUERY_ASKED) {
		q->state = QUERY_WAITING;
		list_remove(&q->node);
		list_add_last(&r->waiting, &q->node);
		return;
	}
	if (r->is_ending || q->state == QUERY_STALE) {
		tell_all(r, q, &(struct msg_dns_answer){ 0 });
		free_query(r, q);
		return;
	}
	if (packet.n == 0) {
		answer_failure(DNS_TEMPORARY, why, &answer);
	} else if (dns_wire_parse(packet, query_name(q), q->type,
	    &r->answer) != OK) {
		answer_failure(DNS_TEMPORARY,
		    "the name server's answer makes no sense", &answer);
	} else {
		/* without memory it isn't kept, and asked again next time */
		(void)dns_cache_put(r->cache, query_name(q), q->type,
		    &r->answer, loop_now_ms(r->loop));
		answer_wire(&r->answer, r->is_trusted, &r->buf, &answer);
	}
	end_query(r, q, &answer);
}

/* False when there is no room in flight; the query may be over afterwards. */
static bool
start_query(struct resolve *r, struct query *q)
{
	struct msg_dns_answer answer;
	char name[DNS_NAME_SIZE];
	enum err e;

	/* set before the asking: on_packet() may come from inside it, and free
	 * Q */
	(void)span_copy(query_name(q), name, sizeof(name));
	q->state = QUERY_ASKED;
	list_remove(&q->node);
	list_add_last(&r->asked, &q->node);
	e = r->transport == NULL ? ERR_NOT_FOUND :
	    transport_ask(r->transport, name, q->type, on_packet, q);
	if (e == OK)
		return true;
	/* back to where it stood: its turn doesn't change */
	if (e == ERR_FULL) {
		q->state = QUERY_WAITING;
		list_remove(&q->node);
		list_add_first(&r->waiting, &q->node);
		return false;
	}
	if (e == ERR_SYNTAX)
		answer_failure(DNS_REFUSED, "no such name can exist", &answer);
	else
		answer_failure(DNS_TEMPORARY, e == ERR_NOT_FOUND ?
		    "there is no name server" : err_text(e), &answer);
	end_query(r, q, &answer);
	return true;
}

/* Those that wait are started here, not where room was made: a failure may
 * come from inside the asking. */
static void
on_work(void *ctx)
{
	struct resolve *r = ctx;
	struct list *node;

	while (!r->is_ending && (node = list_first(&r->waiting)) != NULL)
		if (!start_query(r, CONTAINER_OF(node, struct query, node)))
			return;
}

/*
 * All queries have the same time, so the list is in order of their ends.  A
 * reload that shortens it bends the order for no longer than the old time was.
 */
static void
on_timer(void *ctx)
{
	struct resolve *r = ctx;
	struct msg_dns_answer answer;
	struct list *node;

	while ((node = list_first(&r->due)) != NULL) {
		struct query *q = CONTAINER_OF(node, struct query, due);

		if (q->due_at_ms > loop_now_ms(r->loop)) {
			timer_start_at(&r->timer, q->due_at_ms);
			return;
		}
		answer_failure(DNS_TEMPORARY,
		    "no name server answered in time", &answer);
		if (q->state == QUERY_WAITING) {
			end_query(r, q, &answer);
			continue;
		}
		/* c-ares keeps it; its late answer is nobody's */
		log_failure(r, q, answer.text);
		tell_all(r, q, &answer);
		(void)map_span_remove(&r->queries, key_of(q));
		q->state = QUERY_STALE;
		list_remove(&q->due);
		list_remove(&q->node);
		list_add_last(&r->stale, &q->node);
	}
}

/* Its time counts from now, also while it waits for room. */
static struct query *
make_query(struct resolve *r, struct span name, uint16_t type)
{
	struct query *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	list_init(&q->node);
	list_init(&q->due);
	list_init(&q->waiters);
	q->r = r;
	q->type = type;
	q->key_n = make_key(name, type, q->key);
	q->due_at_ms = loop_now_ms(r->loop) + r->timeout_ms;
	if (map_span_add(&r->queries, q) != OK) {
		free(q);
		return NULL;
	}
	list_add_last(&r->waiting, &q->node);
	list_add_last(&r->due, &q->due);
	if (!timer_is_running(&r->timer))
		timer_start_at(&r->timer, q->due_at_ms);
	deferred_add(&r->work);
	return q;
}

/* ---- asking ---- */

/* Whoever asks what is being asked waits for the same answer; late comers get
 * it (or its failure) sooner than their own time would allow. */
static bool
join(struct resolve *r, void *asker, uint32_t question, struct span name,
    uint16_t type)
{
	uint8_t key[2 + DNS_NAME_SIZE];
	size_t n = make_key(name, type, key);
	struct query *q = map_span_get(&r->queries, span_of(key, n));
	struct waiter *w;

	if (r->n_waiters >= RESOLVE_WAITING_MAX)
		return false;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return false;
	if (q == NULL)
		q = make_query(r, name, type);
	if (q == NULL) {
		free(w);
		return false;
	}
	w->asker = asker;
	w->question = question;
	list_add_last(&q->waiters, &w->node);
	r->n_waiters++;
	return true;
}

/* Names that can't be put into a question, or would be read as another one
 * on their way there. */
static bool
is_askable(struct span name)
{
	uint8_t wire[DNS_NAME_WIRE_MAX];

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '\\' || !text_is_print(name.p[i]) ||
		    name.p[i] == ' ')
			return false;
	return name.n > 0 && dns_names_encode(name, wire) > 0;
}

/* /etc/hosts knows addresses only: a host's mail exchangers are the DNS's
 * business even if its address is not. */
static bool
find_host(struct resolve *r, struct span name, uint16_t type,
    struct msg_dns_answer *answer)
{
	const struct ipaddr *list;
	size_t n;

	if ((type != DNS_TYPE_A && type != DNS_TYPE_AAAA) ||
	    r->hosts == NULL || !hosts_find(r->hosts, name,
	    type == DNS_TYPE_A ? IPADDR_4 : IPADDR_6, &list, &n))
		return false;
	answer_addresses(name, list, n, &r->buf, answer);
	return true;
}

/* Hosts, then the cache, then the name servers.  What can be told at once is
 * told from inside this call. */
void
resolve_ask(struct resolve *r, void *asker, const struct msg_dns_ask *ask)
{
	struct msg_dns_answer answer;
	struct span name = ask->name;

	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	if (!is_askable(name)) {
		answer_failure(DNS_REFUSED, "no such name can exist", &answer);
	} else if (find_host(r, name, ask->type, &answer)) {
		/* told below */
	} else if (dns_cache_get(r->cache, name, ask->type,
	    loop_now_ms(r->loop), &r->answer) == OK) {
		answer_wire(&r->answer, r->is_trusted, &r->buf, &answer);
	} else {
		if (join(r, asker, ask->question, name, ask->type))
			return;
		answer_failure(DNS_TEMPORARY, "too many questions at a time",
		    &answer);
	}
	tell_one(r, asker, ask->question, &answer);
}

/* Queries go on without anybody who waits: their answers fill the cache. */
static void
forget_in(struct resolve *r, struct list *queries, const void *asker)
{
	for (struct list *n = list_first(queries); n != NULL;
	    n = list_next(queries, n)) {
		struct query *q = CONTAINER_OF(n, struct query, node);
		struct list *at = list_first(&q->waiters);

		while (at != NULL) {
			struct waiter *w =
			    CONTAINER_OF(at, struct waiter, node);

			at = list_next(&q->waiters, at);
			if (w->asker != asker)
				continue;
			list_remove(&w->node);
			r->n_waiters--;
			free(w);
		}
	}
}

/* Stale queries have nobody who waits. */
void
resolve_forget(struct resolve *r, const void *asker)
{
	forget_in(r, &r->waiting, asker);
	forget_in(r, &r->asked, asker);
}

/* ---- life ---- */

/* Without name servers yet: resolve_set() brings them. */
enum err
resolve_new(struct loop *l, struct log *log, resolve_fn *fn, void *ctx,
    struct resolve **out)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ERR_NOMEM;
	r->loop = l;
	r->log = log;
	r->fn = fn;
	r->ctx = ctx;
	list_init(&r->waiting);
	list_init(&r->asked);
	list_init(&r->stale);
	list_init(&r->due);
	buf_init(&r->buf, ANSWER_BYTES);
	deferred_init(&r->work, l, DEFERRED_WORK, on_work, r);
	if (random_key(&r->seed) != OK ||
	    timer_init(&r->timer, l, on_timer, r) != OK) {
		free(r);
		return ERR_NOMEM;
	}
	map_span_init(&r->queries, &r->seed, key_of);
	*out = r;
	return OK;
}

/* The transport first: it gives all back that is in flight, and on_packet()
 * frees it.  Nobody is told: their channels are closing. */
void
resolve_free(struct resolve **resolve)
{
	struct resolve *r = *resolve;
	struct list *node;

	if (r == NULL)
		return;
	r->is_ending = true;
	transport_free(&r->transport);
	while ((node = list_first(&r->waiting)) != NULL) {
		struct query *q = CONTAINER_OF(node, struct query, node);

		tell_all(r, q, &(struct msg_dns_answer){ 0 });
		free_query(r, q);
	}
	MUST(list_is_empty(&r->asked) && list_is_empty(&r->stale));
	map_span_clear(&r->queries);
	dns_cache_free(&r->cache);
	hosts_free(&r->hosts);
	timer_clear(&r->timer);
	deferred_clear(&r->work);
	buf_clear(&r->buf);
	free(r);
	*resolve = NULL;
}

/* All that can fail comes first; until then nothing of the old is touched.
 * The cache goes too, since other servers may say otherwise. */
enum err
resolve_set(struct resolve *r, const struct resolve_setup *setup)
{
	struct dns_cache *cache = dns_cache_new(RESOLVE_CACHE_BYTES,
	    &r->seed);
	struct transport *transport = NULL;
	struct hosts *hosts = NULL;
	enum err e = cache == NULL ? ERR_NOMEM :
	    hosts_new(setup->hosts, &r->seed, &hosts);

	if (e == OK)
		e = transport_new(r->loop, setup->servers, setup->timeout_ms,
		    &transport);
	if (e != OK) {
		hosts_free(&hosts);
		dns_cache_free(&cache);
		return e;
	}
	/* what is in flight comes back, to be asked of the new servers */
	r->is_switching = true;
	transport_free(&r->transport);
	r->is_switching = false;
	hosts_free(&r->hosts);
	dns_cache_free(&r->cache);
	r->transport = transport;
	r->hosts = hosts;
	r->cache = cache;
	r->timeout_ms = setup->timeout_ms;
	r->is_trusted = setup->is_trusted;
	deferred_add(&r->work);
	return OK;
}
