/*
 * The words that mtactl and queued have for each other, in messages.def.
 */
#ifndef MTAD_IPC_CTL_WORDS_H
#define MTAD_IPC_CTL_WORDS_H

/* Those up to CTL_LIST only look. */
enum ctl_verb { CTL_COUNT,
	CTL_PLACES,		/* the destination of each recipient */
	CTL_LIST, CTL_HOLD, CTL_RELEASE, CTL_RETRY, CTL_DELETE,
	CTL_VERB_COUNT };

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

/* Why a rule of `routes` does not match. */
enum route_miss {
	ROUTE_MISS_NONE, ROUTE_MISS_TO, ROUTE_MISS_FROM,
	ROUTE_MISS_RELEASED,	/* it holds, and an operator has released */
	ROUTE_MISS_CLIENT, ROUTE_MISS_USER, ROUTE_MISS_SIZE,
	ROUTE_MISS_HEADER, ROUTE_MISS_COUNT
};

/* What is done with mail by the rule that matches. */
enum route_deed {
	ROUTE_DEED_SEND, ROUTE_DEED_DISCARD,
	ROUTE_DEED_REFUSE,	/* after it has come: the sender gets a report */
	ROUTE_DEED_REFUSE_RCPT,	/* in reply to RCPT */
	ROUTE_DEED_HOLD, ROUTE_DEED_COUNT
};

/* What a deliverd has to say about a route. */
enum route_result {
	ROUTE_RESULT_DONE,
	ROUTE_RESULT_CUT,	/* not all was known in time */
	ROUTE_RESULT_OTHER_CONF,	/* a reload is under way */
	ROUTE_RESULT_BUSY, ROUTE_RESULT_NO_MEMORY,
	ROUTE_RESULT_NO_NAME,	/* the domain is none that can be asked for */
	ROUTE_RESULT_COUNT
};

enum route_hop_flags {
	ROUTE_HOP_TLS = 1,	/* begins with it */
	ROUTE_HOP_LMTP = 2,
	ROUTE_HOP_MX = 4,	/* an exchanger, with a preference */
	ROUTE_HOP_DRAWN = 8,	/* by lot, from others that are as good */
	ROUTE_HOP_BEYOND = 16,	/* one round does not come to it */
	ROUTE_HOP_SKIPPED = 32,	/* it lacks what is demanded: tls_why */
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
