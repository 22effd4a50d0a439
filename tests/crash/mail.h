/*
 * Mail for a store under test, and notes that say what it should become.
 *
 * Contents follow from the token, so that every byte read back can be checked.
 */
#ifndef MTAD_TESTS_CRASH_MAIL_H
#define MTAD_TESTS_CRASH_MAIL_H

#include "queued/store/store_body.h"
#include "queued/store/store_list.h"
#include "queued/store/store_write.h"
#include "tests/crash/note.h"

struct mail_order {
	uint64_t token;
	uint32_t units;		/* 1 to VIEW_UNITS */
	uint32_t rcpts;		/* of each, 1 to VIEW_RCPTS */
	size_t body_n;
	bool is_report;
	bool is_streamed;	/* its body was given by mail_stream() */
	uint32_t total;		/* of a list, given by mail_list(); or 0 */
};

/* Gives the recipients of a list, all at once.  It and mail_stream(): what the
 * store says; a body that it did not take wholly is to be dropped. */
enum err mail_list(struct store *s, uint64_t token, uint32_t total);

/* Begins the next block of the list that UNIT is of: two notes. */
enum err mail_begin(struct store *s, struct store_unit *unit,
    struct note *part, struct note *begun);

/* Appends it; NOTE is what to note. */
enum err mail_submit(struct store *s, const struct mail_order *order,
    struct store_unit **unit, struct note *note);

/* The next at most N bytes of a streamed body from AT. */
enum err mail_stream(struct store *s, uint64_t token, size_t body_n, size_t at,
    size_t n);

struct mail_result {
	uint32_t first, last;
	bool is_settled;
	bool is_warned;
	uint64_t due_at;
	unsigned words;			/* which */
};
enum err mail_verdict(struct store *s, struct store_unit *unit,
    const struct mail_result *result, struct note *note);

#endif
