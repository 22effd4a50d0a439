/*
 * The inside of struct tlsrpt, for the files of this room.
 */
#ifndef MTAD_QUEUED_TLSRPT_TLSRPT_IMPL_H
#define MTAD_QUEUED_TLSRPT_TLSRPT_IMPL_H

#include "common/base/list.h"
#include "common/base/map.h"
#include "queued/tlsrpt/tlsrpt.h"

#define TLSRPT_DAY_MS	INT64_C(86400000)
#define TLSRPT_KEY_HEAD	4		/* the day, little-endian */

enum tlsrpt_text { TLSRPT_HOST, TLSRPT_TO, TLSRPT_FROM, TLSRPT_WHY,
    TLSRPT_TEXTS };

/* Failures of one kind at one place; texts lie in `bytes`. */
struct tlsrpt_detail {
	struct list node;
	enum tlsrpt_result result;
	uint64_t count;
	uint16_t n[TLSRPT_TEXTS];
	uint8_t bytes[];
};

struct tlsrpt_policy {
	struct list node;		/* of its day */
	enum tlsrpt_kind kind;
	uint64_t successes, failures;	/* connections */
	struct list details;
	uint32_t n_details;
	uint16_t n_policy, n_patterns;
	uint8_t bytes[];		/* the policy, the patterns */
};

struct tlsrpt_day {
	int64_t due_at;
	struct list policies;
	uint32_t n_policies;
	uint16_t key_n;
	uint8_t key[];			/* day, domain in lower case */
};

struct tlsrpt {
	struct map_span days;
	struct siphash_key seed;
	uint64_t lost;
	bool has_changed;
};

uint32_t tlsrpt_day_number(const struct tlsrpt_day *day);

/* The text of D that is WHICH. */
struct span tlsrpt_detail_text(const struct tlsrpt_detail *d,
    enum tlsrpt_text which);

/* Found, or made; NULL: no memory or no room. */
struct tlsrpt_day *tlsrpt_day_at(struct tlsrpt *t, uint32_t number,
    struct span domain);
struct tlsrpt_policy *tlsrpt_policy_at(struct tlsrpt_day *day,
    enum tlsrpt_kind kind, struct span policy, struct span patterns);
struct tlsrpt_detail *tlsrpt_detail_at(struct tlsrpt_policy *policy,
    enum tlsrpt_result result, const struct span texts[TLSRPT_TEXTS]);

void tlsrpt_forget_all(struct tlsrpt *t);

#endif
