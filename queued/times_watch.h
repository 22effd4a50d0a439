/*
 * Units in memory whose sender's time will be over; times.c's own.
 */
#ifndef MTAD_QUEUED_TIMES_WATCH_H
#define MTAD_QUEUED_TIMES_WATCH_H

#include <stddef.h>
#include <stdint.h>

struct times_watched {
	uint64_t at;
	uint64_t id;
	uint32_t unit;
};

/* In no order, some twice; looked through once a second. */
struct times_watch {
	struct times_watched *rows;
	size_t n;
	size_t size;
};

#endif
