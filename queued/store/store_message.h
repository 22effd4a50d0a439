/*
 * Messages and units as queued holds them in memory.
 *
 * A unit is what is scheduled, leased and indexed: the recipients (at most
 * 1,000) of one message that share a key (their destination when accepted).
 * Messages and units belong to the store; it changes them only inside the
 * calls of store_write.h, made by the one thread that owns the store.  A unit
 * is in memory from its birth or store_load_unit() until store_unload_unit()
 * succeeds or its last recipient is settled; `plan` is the planner's own
 * pointer.  Spans of a recipient's last words are valid until the next verdict
 * on its unit, all others as long as the unit.
 */
#ifndef MTAD_QUEUED_STORE_STORE_MESSAGE_H
#define MTAD_QUEUED_STORE_STORE_MESSAGE_H

#include "common/base/span.h"
#include "queued/store/store_list_fields.h"

enum {
	STORE_UNIT_RECIPIENTS = 1000,
	STORE_LIST_PARTS = 1000,	/* ids behind a list's own */
	STORE_KEY_MAX = 2048,
	STORE_NO_OUTCOME = 0xff,	/* never tried */
};

/* An id is the number of the spool's life in which it was given, and a count
 * in the 40 bits below. */
enum { STORE_START_SHIFT = 40 };

/* A noted lease: by the message's own record, which the index did not have yet
 * at the start; or may have had, for it was made anew. */
#define STORE_LEASED_UNINDEXED (UINT64_MAX - 1)
#define STORE_LEASED_AT_COMMIT UINT64_MAX

/* A bit of a noted lease: an operator has deleted what is out, so what is left
 * at its end goes.  Leases of one process are counted in the 40 bits below its
 * number, which may be any of 24: no count comes so far. */
#define STORE_LEASE_DELETED ((uint64_t)1 << 39)

static inline bool
store_lease_is_deleted(uint64_t noted_lease)
{
	return noted_lease < STORE_LEASED_UNINDEXED &&
	    (noted_lease & STORE_LEASE_DELETED) != 0;
}

/* Where the content (trace header and body) lies. */
struct store_place {
	uint64_t segment;	/* of the message record */
	uint64_t offset;	/* of its first byte of trace, in the segment */
	uint32_t trace_bytes;
	bool is_file;		/* the body is in a file of its own */
	uint64_t body_bytes;
};

struct store_message {
	uint64_t id;
	uint64_t arrived_at;	/* wall ms */
	struct span envelope;	/* without recipients; common/mail/envelope.h */
	struct span sender;	/* inside envelope; empty: null reverse-path */
	struct store_place place;
	uint8_t content_flags;	/* enum content_flags */
	bool is_report;		/* ours */
	bool is_held;
	bool is_released;	/* was held, and is no more */
	bool is_warned;		/* the delay notice was sent */
	bool is_quarantined;	/* its stored bytes are damaged */
	uint32_t recipients;	/* it came with */
	uint32_t left;		/* not yet settled */
	uint32_t unit_count;
	struct store_list list;
};

struct store_recipient {
	struct span address;
	struct span attributes;	/* envelope_rcpt.bytes */
	bool is_settled;	/* done with, as its last result said */
	uint8_t outcome;	/* the last one; STORE_NO_OUTCOME */
	uint16_t code;		/* of the last attempt; 0: none */
	struct span status;	/* "4.4.1" */
	struct span text;	/* the other server's last words, or ours */
	struct span host;	/* that said so */
};

struct store_unit {
	struct store_message *message;
	uint32_t number;	/* within the message */
	struct span key;	/* given at submission (key_of) */
	uint64_t due_at;	/* wall ms */
	uint64_t last_at;	/* last attempt began; 0: none */
	uint64_t noted_lease;	/* may be out, without a verdict; 0: not */
	uint32_t tries;
	uint32_t count;
	uint32_t left;		/* recipients not yet settled */
	struct store_recipient *recipients;
	void *plan;		/* the planner's */
};

static inline bool
store_is_list(const struct store_message *m)
{
	return m->list.id != 0 && m->list.id == m->id;
}

/* The message that its file is called after. */
static inline uint64_t
store_file_id(const struct store_message *m)
{
	return m->list.id != 0 ? m->list.id : m->id;
}

static inline uint64_t
store_message_size(const struct store_message *m)
{
	return m->place.trace_bytes + m->place.body_bytes;
}

#endif
