/*
 * What users, clients and networks have handed in of late, against their limits
 * (common/conf/conf_quota.h).
 *
 * For each limit time is cut into periods; what was counted in the last one
 * counts by the part of it that is less than a period ago, so that the limit
 * holds over any period.  Mail that is refused is not counted: who goes on trying
 * gets his share.  Pure: the driver has the clock (the spool's, ms) and the disk.
 *
 * Of each kind so many are known at a time; beyond them one is forgotten that
 * did little.
 */
#ifndef MTAD_QUEUED_QUOTA_QUOTA_H
#define MTAD_QUEUED_QUOTA_QUOTA_H

#include "common/base/buf.h"
#include "common/conf/conf_quota.h"

#define QUOTA_KNOWN_MAX		20000u	/* of each kind */
#define QUOTA_FILE_MAX		((size_t)32 * 1024 * 1024)

enum quota_what { QUOTA_MESSAGES, QUOTA_RECIPIENTS, QUOTA_WHATS };

/* How much of one limit is used. */
struct quota_use {
	struct conf_rate limit;		/* as of the last message */
	uint32_t used;			/* in the period that ends now */
	int64_t wait_ms;		/* until one more fits; 0: now */
};

/* One that is counted, as seen at a moment; NAME is borrowed until the next
 * call that is not of a const struct quota. */
struct quota_view {
	enum conf_each each;
	uint32_t id;
	struct span name;
	struct quota_use use[QUOTA_WHATS];
	uint32_t refused;		/* messages, since one was taken */
	int64_t wait_ms;		/* the longer one */
};

struct quota_ops {
	/* A limit is used up for the first time since it was not: no message
	 * more for VIEW->wait_ms. */
	void (*on_full)(void *ctx, const struct quota_view *view);
};

enum quota_verdict {
	QUOTA_FITS,		/* and was counted */
	QUOTA_USED_UP,		/* not now */
	QUOTA_TOO_MUCH,		/* it has more recipients than may be at all */
};

struct quota;

/* SEED: for its maps.  ERR_NOMEM. */
enum err quota_new(const struct siphash_key *seed, const struct quota_ops *ops,
    void *ctx, struct quota **out);
void quota_free(struct quota **q);

/* CONF is borrowed.  Who was full may not be so any more: on_full is called
 * again for who still is, at its next message.  ERR_NOMEM: as before. */
enum err quota_take_conf(struct quota *q, const struct conf *conf);

/* A message of WHO with so many recipients.  Without memory it fits. */
enum quota_verdict quota_take(struct quota *q, const struct conf_quota_who *who,
    uint32_t recipients, int64_t now);

/* Walks over all that are counted: *CURSOR begins as 0; false behind the
 * last.  In no order. */
bool quota_next(const struct quota *q, uint64_t *cursor, int64_t now,
    struct quota_view *out);

/* Forgets what KIND's NAME has used; returns how many counts that were. */
uint32_t quota_reset(struct quota *q, enum conf_each each, struct span name);

/* Forgets who has nothing in his periods any more. */
void quota_sweep(struct quota *q, int64_t now);

/* What is to outlive the process, and whether it has changed since it was put
 * last.  READ adds to an empty one: ERR_CORRUPT (nothing is known then),
 * ERR_VERSION (of a later version), ERR_NOMEM. */
bool quota_has_changed(const struct quota *q);
void quota_put(struct quota *q, struct buf *out);
enum err quota_read(struct quota *q, struct span bytes);

#endif
