/*
 * `message explain`: why a message is where it is, what comes next and when;
 * or what became of it.  In plain words, or one JSON object.
 */
#ifndef MTAD_MTACTL_EXPLAIN_H
#define MTAD_MTACTL_EXPLAIN_H

#include "common/ipc/messages.h"
#include "mtactl/output.h"

struct explain {
	struct output *o;
	uint64_t now;
	struct json json;
	bool is_open;			/* something is known */
	bool is_queued;
	struct msg_ctl_state state;	/* spans are not to be used */
	uint64_t waiting;		/* recipients that are not held, … */
	struct buf reports;		/* uint64_t each; of one that is gone */
};

void explain_init(struct explain *x, struct output *o, uint64_t now);
void explain_clear(struct explain *x);

/* Of a queued message: it, then its recipients. */
void explain_state(struct explain *x, const struct msg_ctl_state *m);
void explain_why(struct explain *x, const struct msg_ctl_why *m);

/* Of one that is gone: its history, of which the ends are told. */
void explain_event(struct explain *x, const struct msg_ctl_event *m);

/* What comes next; the end of the object. */
void explain_end(struct explain *x);

#endif
