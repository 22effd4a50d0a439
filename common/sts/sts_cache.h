/*
 * The policies of MTA-STS that are known, by domain, and when to look again,
 * RFC 8461 3.3, 5.1 and 10.2.  Pure: the time (wall milliseconds) comes in.
 *
 * A policy holds until it expires, whatever DNS and web say meanwhile, unless
 * a newer one takes its place.  It is fetched when the record's id is another
 * than the known one's, and again every day while there is mail now and then,
 * so that it is there when somebody keeps us from fetching it.  After a failure a domain is left alone
 * for STS_PAUSE_MS.
 *
 * Bounded: STS_ENTRIES_MAX domains; who was not asked for longest goes first.
 */
#ifndef MTAD_STS_STS_CACHE_H
#define MTAD_STS_STS_CACHE_H

#include "common/base/siphash.h"
#include "common/mail/domain.h"
#include "common/sts/sts_policy.h"
#include "common/sts/sts_record.h"

#define STS_ENTRIES_MAX	10000
#define STS_PAUSE_MS	300000		/* between failed fetches; and the … */
					/* … shortest life of a policy */
#define STS_REFRESH_MS	86400000	/* age at which it is fetched anew */
#define STS_INTEREST_MS	INT64_C(2592000000)	/* … if anybody asked in 30 days */
#define STS_ENTRY_BYTES_MAX ((size_t)STS_MX_MAX + 512)	/* written */

struct sts_cache;

/* What is known of a domain; borrowed until the next change of the cache. */
struct sts_entry {
	char domain[DOMAIN_MAX + 1];	/* lower case */
	char id[STS_ID_SIZE];		/* "": no policy was ever fetched */
	enum sts_mode mode;
	int64_t fetched_at_ms;
	int64_t expires_at_ms;
	int64_t pause_to_ms;		/* no fetch before */
	int64_t asked_at_ms;		/* last, as far as is known */
	struct span mx;			/* see sts_policy.h */
};

enum sts_advice {
	STS_NONE,			/* there is no policy */
	STS_APPLY,			/* *POLICY */
	STS_FETCH,			/* then ask again; *POLICY or NULL */
	STS_REFRESH,			/* apply *POLICY, fetch it meanwhile */
};

/* life: SEED guards the map.  ERR_NOMEM. */
enum err sts_cache_new(const struct siphash_key *seed,
    struct sts_cache **out);
void sts_cache_free(struct sts_cache **c);

/* What to do for DOMAIN, whose record's id is ID (NULL: it has none, or could
 * not be asked).  *POLICY is what holds now, or NULL. */
enum sts_advice sts_cache_judge(struct sts_cache *c, struct span domain,
    const char *id, int64_t now_ms, const struct sts_entry **policy);

/* It was fetched: POLICY and MX are known under ID from now on.  ERR_NOMEM,
 * ERR_RANGE (no domain): nothing has changed. */
enum err sts_cache_store(struct sts_cache *c, struct span domain,
    const char *id, const struct sts_policy *policy, struct span mx,
    int64_t now_ms);

/* It could not be fetched; it is not to be known any more. */
void sts_cache_fail(struct sts_cache *c, struct span domain, int64_t now_ms);
void sts_cache_forget(struct sts_cache *c, struct span domain);

/* The policy that holds now, or NULL; and one after the other, from a CURSOR
 * of 0, until NULL. */
const struct sts_entry *sts_cache_find(const struct sts_cache *c,
    struct span domain, int64_t now_ms);
const struct sts_entry *sts_cache_next(const struct sts_cache *c,
    size_t *cursor);

/* The next one, from a CURSOR as above, that is worth fetching anew though
 * nobody asks. */
const struct sts_entry *sts_cache_due(const struct sts_cache *c,
    size_t *cursor, int64_t now_ms);

/* An entry in bytes, to be kept by others; STS_ENTRY_BYTES_MAX at most. */
void sts_entry_put(const struct sts_entry *e, struct buf *out);

/* OUT borrows from BYTES.  ERR_SYNTAX. */
enum err sts_entry_read(struct span bytes, struct sts_entry *out);

/* One that was kept is known again, unless it has expired or its domain is
 * known already.  ERR_SYNTAX, ERR_NOMEM. */
enum err sts_cache_restore(struct sts_cache *c, struct span bytes,
    int64_t now_ms);

size_t sts_cache_count(const struct sts_cache *c);

#endif
