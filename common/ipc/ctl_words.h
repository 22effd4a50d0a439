/*
 * The words that mtactl and queued have for each other, in messages.def.
 */
#ifndef MTAD_IPC_CTL_WORDS_H
#define MTAD_IPC_CTL_WORDS_H

enum ctl_verb { CTL_COUNT, CTL_LIST, CTL_HOLD, CTL_RELEASE, CTL_RETRY,
	CTL_DELETE, CTL_VERB_COUNT };

enum ctl_sts_verb { CTL_STS_LIST, CTL_STS_FORGET, CTL_STS_VERB_COUNT };
enum ctl_quota_verb { CTL_QUOTA_LIST, CTL_QUOTA_RESET, CTL_QUOTA_VERB_COUNT };

enum ctl_dest_verb { CTL_DEST_LIST, CTL_DEST_SHOW, CTL_DEST_SUSPEND,
	CTL_DEST_RESUME, CTL_DEST_RESET, CTL_DEST_VERB_COUNT };

/* How a destination stands. */
enum dest_state { DEST_OK, DEST_BACK_OFF, DEST_PROBE, DEST_SUSPENDED,
	DEST_STATE_COUNT };

enum ctl_spool_verb { CTL_SPOOL_STATS, CTL_SPOOL_CHECK,
	CTL_SPOOL_BACKUP,	/* its files stay until the session ends */
	CTL_SPOOL_VERB_COUNT
};

enum ctl_result {
	CTL_DONE, CTL_BAD_SELECTION, CTL_NO_SUCH_MESSAGE, CTL_FAILED,
	CTL_BUSY,
	CTL_AMBIGUOUS,		/* the id was cut too short */
	CTL_DAMAGED,		/* a check was done, and found damage */
	CTL_RESULT_COUNT
};

/* What can happen to a message; mtactl(1) has their names. */
enum event_kind {
	EVENT_ACCEPTED, EVENT_RECIPIENTS, EVENT_ATTEMPT,
	EVENT_DELIVERED, EVENT_DEFERRED, EVENT_FAILED, EVENT_IN_DOUBT,
	EVENT_EXPIRED, EVENT_DISCARDED,
	EVENT_HELD, EVENT_RELEASED, EVENT_RETRIED, EVENT_REPORTED,
	EVENT_NOTICED, EVENT_QUARANTINED, EVENT_DELETED,
	EVENT_PART, EVENT_BEGUN, EVENT_COUNT
};

/* What keeps a recipient from being tried now. */
enum block_kind {
	BLOCK_NONE,		/* its turn comes as soon as anything may */
	BLOCK_LEASED, BLOCK_HELD, BLOCK_TIME, BLOCK_BACK_OFF, BLOCK_PROBE,
	BLOCK_WINDOW, BLOCK_RATE, BLOCK_SCARCE, BLOCK_NO_WORKER,
	BLOCK_STARTING, BLOCK_UNSYNCED, BLOCK_SETTLED,
	BLOCK_RELEASE /* its sender put it off */,
	BLOCK_SUSPENDED, BLOCK_COUNT
};

/* The state of a message or recipient as operators name it. */
enum message_state {
	STATE_ACTIVE,		/* due or being delivered now */
	STATE_DEFERRED,		/* waits for its time or its destination */
	STATE_HELD,
	STATE_DELIVERED, STATE_FAILED, STATE_DELETED /* recipients only */,
	STATE_COUNT
};

#endif
