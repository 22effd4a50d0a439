/*
 * The inside of struct shape, for shape.c and shape_file.c.
 */
#ifndef MTAD_QUEUED_SHAPE_SHAPE_IMPL_H
#define MTAD_QUEUED_SHAPE_SHAPE_IMPL_H

#include "common/base/map.h"
#include "queued/shape/shape.h"

enum shape_kind { SHAPE_STOP, SHAPE_SLOW, SHAPE_KINDS };

/* One of either kind; its name and its reason lie behind it. */
struct shape_entry {
	union {
		struct shape_stop stop;
		struct shape_slow slow;
	};
	bool is_pattern;
	uint16_t name_n;
	uint8_t bytes[];
};

struct shape_warm {
	uint32_t route;
	int64_t since;
};

struct shape {
	struct map_span known[SHAPE_KINDS];
	uint32_t patterns, routes;	/* stops that are for many */
	struct map_u64 warms;
	bool has_changed;
};

/* All of it. */
void shape_forget(struct shape *s);

#endif
