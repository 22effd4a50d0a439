/*
 * The event loop of a process: one thread, timers, watched descriptors, and
 * work put off to the end of the turn.  The only room that knows libev.
 *
 * A turn: wait once, tell whoever's descriptor is ready, run due timers, run
 * what was deferred (deferred.h).  The clock is read once a turn.
 */
#ifndef MTAD_LOOP_LOOP_H
#define MTAD_LOOP_LOOP_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* life: ERR_NOMEM, ERR_IO.  Free it after everything that lives on it. */
enum err loop_new(struct loop **out);
void loop_free(struct loop **l);

/* Turns until loop_stop(); what was deferred in the last turn still runs. */
void loop_run(struct loop *l);

/* One turn that waits for at most MAX_WAIT_MS (0: does not wait). */
void loop_turn(struct loop *l, int64_t max_wait_ms);

/* Makes loop_run() return at the end of this turn. */
void loop_stop(struct loop *l);

/* Monotonic and wall milliseconds as of the beginning of this turn. */
int64_t loop_now_ms(const struct loop *l);
int64_t loop_wall_ms(const struct loop *l);

/* Reads the clocks again, after work that took long. */
void loop_update_now(struct loop *l);

#endif
