/*
 * The life of queued among its peers, and how time passes for all of them.
 *
 * Before time moves by more than a moment the disk has done what it was given,
 * and the store's own timer is never passed by, for the promises about a second
 * of a power cut suppose a disk that works.
 */
#ifndef MTAD_TESTS_SIM_SIM_LIFE_H
#define MTAD_TESTS_SIM_SIM_LIFE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	MOMENT_MS = 40,
	SECOND_MS = 1000,
	MINUTE_MS = 60 * SECOND_MS,
	HOUR_MS = 60 * MINUTE_MS,
};

struct sim_life {
	int64_t started_at;		/* monotonic, of this queued */
	bool is_late_told;
	uint32_t found;			/* units: what a start replays is here */
	bool is_after_cut;		/* all died before this life */
};

extern struct sim_life sim_life;

/* ---- sim_life.c ---- */

/* One of the peers says or hears something; false: it has nothing to. */
bool sim_speak_and_hear(void);
/* A turn of queued's loop: some frames, what the threads have done, timers. */
void sim_turn(void);
/* If it has asked to be ended, it is. */
void sim_look_after(void);

/* It may fail, and takes time then. */
void sim_start(void);
void sim_connect_peers(void);
/* In the middle of a turn: frames were handled, nothing has left yet. */
void sim_kill_queued(bool is_power_cut);
void sim_stop_queued(void);

/* ---- sim_time.c ---- */

/* Everything that can be done now is done. */
void sim_settle(void);
void sim_advance(int64_t ms);

#endif
