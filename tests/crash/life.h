/*
 * One life of a recorded spool: what it does with the store, by its dice, and
 * what it notes of that.
 *
 * Only what was told as synced is acted on further, as the daemon does: no
 * lease and no verdict of a message whose acceptance is not durable yet.
 */
#ifndef MTAD_TESTS_CRASH_LIFE_H
#define MTAD_TESTS_CRASH_LIFE_H

#include "common/base/rng.h"
#include "queued/store/store.h"
#include "tests/crash/history.h"

enum { LIFE_MAILS = 64, LIFE_DEAD = 5 /* its exit code: no log any more */ };

struct life_mail {
	uint64_t id;
	uint64_t group;		/* acted on once this is synced */
	uint64_t token;
};

struct life {
	struct store *s;
	struct trace *trace;
	struct rng dice;
	enum history_kind kind;
	bool has_cycles;	/* whole segments come and go */
	uint64_t synced;
	int64_t ahead_ms;
	uint64_t now;		/* due times, made up */
	uint64_t next_token;
	struct life_mail mails[LIFE_MAILS];
	size_t count;
	/* a body on its way in */
	uint64_t body_token;
	size_t body_n, body_at;
	bool is_body_closed, has_body_failed;
	uint32_t total;			/* of a list; 0: none */
	/* segments: filled, then emptied */
	bool is_emptying;
	uint64_t stays;			/* a message; 0: none */
	size_t filled;
};

/* What the store tells it. */
extern const struct store_ops life_ops;

uint64_t life_below(struct life *l, uint64_t n);
void life_note(struct life *l, const struct note *n);
void life_note_group(struct life *l, enum note_kind kind, uint64_t group);
void life_forget(struct life *l, uint64_t id);

/* Turns of a loop; until all is synced; replies have left; until the index has
 * it all.  The clock given to the store runs ahead at will (ahead_ms), so that
 * check-points and late syncs come when the dice say so. */
void life_flush(struct life *l);
void life_turn(struct life *l, int ms);
void life_sync_all(struct life *l);
void life_answer(struct life *l);
void life_checkpoint(struct life *l);

/* life_acts.c: one step of its kind; what may come between two. */
void life_act(struct life *l);
void life_pause(struct life *l);

#endif
