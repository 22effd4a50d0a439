/*
 * What records of the history journal say [pure]: accepted, tried, acted upon.
 *
 * journal_record.h has the form; docs/HISTORY.md every byte.  Recipients are
 * named once, when their message is accepted; after that by unit and row, as
 * in the log of the spool.  Lists are made first and put into a record then; a
 * list that is full says false, and goes on in a further record.
 */
#ifndef MTAD_QUEUED_JOURNAL_JOURNAL_EVENT_H
#define MTAD_QUEUED_JOURNAL_JOURNAL_EVENT_H

#include "queued/journal/journal_record.h"

enum {
	JOURNAL_TEXT_MAX = 512,		/* longer words are cut */
	JOURNAL_NAME_MAX = 1024,	/* addresses, hosts */
};

#define JOURNAL_NO_HOST UINT64_MAX

/* ---- an accepted message, and its recipients ---- */

struct journal_accepted {
	uint64_t at;		/* wall ms, as all of these */
	uint64_t bytes;		/* of the content */
	uint64_t recipients;	/* all of them, in this record or others */
	bool is_report;
	struct span sender;
	struct span client;	/* 4 or 16 raw octets, or none */
	struct span helo;
	struct span list;	/* recipients; of more of them: all fields */
};

struct journal_recipient {
	uint64_t unit;
	uint64_t row;		/* within the unit */
	struct span address;
};

void journal_accepted_put(struct buf *out, uint64_t id,
    const struct journal_accepted *a);
void journal_recipients_put(struct buf *out, uint64_t id, struct span list);
bool journal_recipient_put(struct buf *list,
    const struct journal_recipient *r);
enum err journal_accepted_get(struct span fields,
    struct journal_accepted *out);
bool journal_recipient_next(struct span *list, struct journal_recipient *out);

/* ---- an attempt, or another result ---- */

struct journal_attempt {
	uint64_t unit;
	uint64_t at;		/* it began */
	uint64_t due_at;	/* the next one, of whom is not settled */
	uint64_t tries;
	bool is_continued;	/* goes on where the record before ended */
	struct span hosts;
	struct span results;
};

struct journal_host {		/* that was spoken to */
	struct span name;
	struct span address;
	struct span tls;
	uint8_t stage;		/* enum attempt_stage of common/ipc */
	uint64_t code;
	uint64_t begun_at;
	uint64_t duration_ms;
	struct span text;
};

struct journal_result {
	uint64_t first, last;	/* rows of the unit */
	uint8_t outcome;	/* enum outcome of common/ipc, below 128 */
	bool is_settled;
	uint64_t host;		/* row of hosts; JOURNAL_NO_HOST */
	uint64_t code;
	struct span status;
	bool is_hosts_text;	/* the words are those of that host */
	struct span text;
};

/* BEGUN_AT: of the attempt. */
bool journal_host_put(struct buf *list, uint64_t begun_at,
    const struct journal_host *h);
bool journal_result_put(struct buf *list, const struct journal_result *r);
void journal_attempt_put(struct buf *out, uint64_t id, uint8_t flags,
    const struct journal_attempt *a);
enum err journal_attempt_get(struct span fields, struct journal_attempt *out);
bool journal_host_next(struct span *list, uint64_t begun_at,
    struct journal_host *out);
bool journal_result_next(struct span *list, struct journal_result *out);

/* ---- what was done with a message, and what the journal could not keep ---- */

/* Part of the format. */
enum journal_action_kind {
	JOURNAL_HELD = 1, JOURNAL_RELEASED, JOURNAL_RETRIED,
	JOURNAL_REPORTED, JOURNAL_NOTICED, JOURNAL_QUARANTINED,
	JOURNAL_DELETED, JOURNAL_PART,
};

struct journal_action {
	uint64_t at;
	uint64_t kind;
	uint64_t unit;
	uint64_t value;		/* of a report or part: its id; due_at */
	struct span by;		/* who, in words; none: mtad itself */
};

void journal_action_put(struct buf *out, uint64_t id,
    const struct journal_action *a);
enum err journal_action_get(struct span fields, struct journal_action *out);
/* A record of id 0: events of the groups FIRST to LAST are not here. */
void journal_lost_put(struct buf *out, uint64_t at, uint64_t first,
    uint64_t last);
enum err journal_lost_get(struct span fields, uint64_t *at, uint64_t *first,
    uint64_t *last);

#endif
