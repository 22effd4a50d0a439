/*
 * The inside of struct quota, for quota.c and quota_file.c.
 */
#ifndef MTAD_QUEUED_QUOTA_QUOTA_IMPL_H
#define MTAD_QUEUED_QUOTA_QUOTA_IMPL_H

#include "common/base/map.h"
#include "queued/quota/quota.h"
#include "queued/quota/quota_window.h"

#define QUOTA_KEY_HEAD	4		/* the id, little-endian */

/* One that is counted; its key is the id and the name. */
struct quota_entry {
	struct quota_window windows[QUOTA_WHATS];
	struct conf_rate limits[QUOTA_WHATS];
	uint32_t refused;
	bool is_told;			/* full, and on_full said so */
	uint16_t key_n;
	uint8_t key[];
};

struct quota {
	const struct quota_ops *ops;
	void *ctx;
	struct conf_quotas_table *table;
	struct map_span known[CONF_EACH_COUNT];
	size_t hands[CONF_EACH_COUNT];	/* where it was forgotten last */
	int64_t swept_at;
	bool has_changed;
};

/* A new one among those known; NULL: no memory. */
struct quota_entry *quota_entry_new(struct quota *q, enum conf_each each,
    uint32_t id, struct span name);
void quota_entry_free(struct quota *q, enum conf_each each,
    struct quota_entry *entry);

/* All of them. */
void quota_forget(struct quota *q);

#endif
