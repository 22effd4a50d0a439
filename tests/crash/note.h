/*
 * Notes in a recording: what was asked of the store and what it promised.
 */
#ifndef MTAD_TESTS_CRASH_NOTE_H
#define MTAD_TESTS_CRASH_NOTE_H

#include "tests/crash/view.h"

enum note_kind {
	NOTE_BASE = 1,		/* VIEW was in the spool before */
	NOTE_OPENED,		/* recovered; the seal is GROUP */
	NOTE_SUBMIT,		/* VIEW, token, cause: appended to GROUP */
	NOTE_VERDICT,
	NOTE_HOLD,
	NOTE_DUE,
	NOTE_LEASE,
	NOTE_BEGUN,		/* VALUE recipients of a list, all in all */
	NOTE_DROPPED,		/* a write failed: gone with GROUP */
	NOTE_REFUSED,		/* told, so GROUP is synced */
	NOTE_SYNCED,		/* told */
	NOTE_ANSWERED,		/* told by us */
};

struct note {
	enum note_kind kind;
	uint64_t group;
	uint64_t id;
	uint64_t token;
	uint32_t unit, first, last;
	bool is_settled, is_held, is_warned;
	uint8_t outcome;
	uint16_t code;
	uint32_t text, tries;
	uint64_t value;			/* due_at, lease */
	uint64_t cause;			/* of a report: the message … */
	uint32_t cause_unit;		/* … whose unit failed */
	struct view view;
};

#endif
