/*
 * Records of a message in the journal become events, which are sent to whoever
 * asked: in order, and one for each recipient, as it is one fate.
 */
#ifndef MTAD_QUEUED_CTL_EVENTS_H
#define MTAD_QUEUED_CTL_EVENTS_H

#include "common/ipc/messages.h"
#include "queued/ctl_names.h"
#include "queued/journal/journal_event.h"

struct ctl_session;

struct ctl_events {
	struct ctl_session *s;
	uint64_t id;			/* of the message */
	uint64_t told;			/* how many */
	struct ctl_names names;
	bool has_looked_up;		/* names of what is queued */
	struct buf hosts;		/* of the last attempt */
	uint64_t begun_at;		/* likewise */
	struct buf list;
	struct msg later[2];		/* told behind the next attempt */
	size_t later_n;
};

void ctl_events_init(struct ctl_events *e, struct ctl_session *s);
void ctl_events_clear(struct ctl_events *e);

/* Of E's id, in the order of the journal. */
void ctl_events_tell(struct ctl_events *e, const struct journal_record *r);

/* That was the last one. */
void ctl_events_flush(struct ctl_events *e);

#endif
