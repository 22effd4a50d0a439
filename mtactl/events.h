/*
 * What happened to a message as mtactl shows it, event by event, and what has
 * become of one that is gone.
 *
 * NOW is wall milliseconds since 1970.  Events are printed as they come; for
 * programs each is a JSON object of its own line.
 */
#ifndef MTAD_MTACTL_EVENTS_H
#define MTAD_MTACTL_EVENTS_H

#include "common/ipc/messages.h"
#include "mtactl/output.h"

struct events {
	struct output *o;
	uint64_t now;
	uint64_t id;			/* of the message shown; 0: none yet */
};

void events_init(struct events *e, struct output *o, uint64_t now);
void events_show(struct events *e, const struct msg_ctl_event *m);

/* "in_doubt"; a number that nobody knows is shown as such. */
const char *events_name(uint8_t kind);

/* "2026-11-22T10:00:00.123Z"; for people also how far from NOW. */
void events_put_time(struct output *o, uint64_t at);
void events_put_moment(struct output *o, uint64_t at, uint64_t now);

/* "mx.example.net (192.0.2.1:25)"; "451 4.7.1 come back later". */
void events_put_host(struct output *o, struct span host, struct span address);
void events_put_reply(struct output *o, uint16_t code, struct span status,
    struct span text);

#endif
