/*
 * One resolver for all processes of mtad: /etc/hosts, a cache, and name
 * servers behind it.
 *
 * Equal questions in flight are joined.  Everything is bounded: questions in
 * flight, questions waiting, time, memory of the cache; what finds no room is
 * answered as a temporary failure at once.
 */
#ifndef MTAD_DNSD_RESOLVE_H
#define MTAD_DNSD_RESOLVE_H

#include "common/base/endpoint.h"
#include "common/base/err.h"
#include "common/ipc/messages.h"

#define RESOLVE_WAITING_MAX	20000	/* answers that are due to somebody */
#define RESOLVE_CACHE_BYTES	((size_t)8 * 1024 * 1024)

struct log;
struct loop;
struct resolve;

/* Tells an answer to the asker; spans are borrowed for the call. */
typedef void resolve_fn(void *ctx, void *asker,
    const struct msg_dns_answer *answer);

struct resolve_setup {
	struct span hosts;		/* of /etc/hosts */
	const char *servers;		/* "addr:port,[addr]:port" */
	int64_t timeout_ms;		/* for one question */
	bool is_trusted;		/* its AD bit means something */
};

enum err resolve_new(struct loop *l, struct log *log, resolve_fn *fn,
    void *ctx, struct resolve **out);
void resolve_free(struct resolve **r);		/* tells nothing any more */

/* At start and at each reload; forgets the cache, asks again what is in
 * flight.  On failure the old setup stays. */
enum err resolve_set(struct resolve *r, const struct resolve_setup *setup);

/* The answer comes through FN, also from inside this call. */
void resolve_ask(struct resolve *r, void *asker,
    const struct msg_dns_ask *ask);

/* ASKER is gone: nothing more is told to it. */
void resolve_forget(struct resolve *r, const void *asker);

#endif
