/*
 * Effects that wait for the disk (I-01, I-03): what may leave queued only when
 * the group that caused it was written, or synced.
 *
 * Two queues in order of groups, one for each condition.  They hold numbers,
 * never pointers: who takes an effect looks its objects up again.
 */
#ifndef MTAD_QUEUED_EFFECTS_H
#define MTAD_QUEUED_EFFECTS_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum effect_kind {
	EFFECT_SUBMITTED,	/* a: token, b: queue id; peer: smtpd */
	EFFECT_REPORT,		/* b: queue id of a message of ours */
	EFFECT_PART,		/* b: queue id of a part of a list */
	EFFECT_CONFIRM,		/* a: lease; peer: deliverd */
	EFFECT_ANSWER,		/* a: id of a mtactl session */
	EFFECT_LEASE,		/* a: a lease that was noted */
	EFFECT_NONE,		/* was taken back */
};

struct effect {
	uint64_t group;
	uint64_t a;
	uint64_t b;
	uint64_t instance;	/* of the peer: its successor hears nothing */
	uint32_t bytes;		/* of credit to give back */
	uint16_t peer;
	uint8_t kind;		/* enum effect_kind */
};

struct effects {
	struct effect *ring;
	size_t first;
	size_t n;
	size_t size;		/* 0 or a power of two */
};

void effects_init(struct effects *e);
void effects_clear(struct effects *e);

/* Makes sure that the next effects_add() finds room. */
enum err effects_reserve(struct effects *e);
void effects_add(struct effects *e, const struct effect *effect);

/* The same for an effect that belongs before newer groups' effects. */
void effects_insert(struct effects *e, const struct effect *effect);

/* Takes the oldest one out if its group is at most UPTO. */
bool effects_take(struct effects *e, uint64_t upto, struct effect *out);

/* The newest effect of KIND with this A, or NULL; to be changed in place. */
struct effect *effects_find(struct effects *e, uint8_t kind, uint64_t a);

/* Whether a message with this queue id waits in E to be there. */
bool effects_has_message(const struct effects *e, uint64_t id);

#endif
