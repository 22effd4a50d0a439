/*
 * A spool looked at from outside, for an operator: is it sound?
 *
 * It opens nothing for writing, but for the list of a copy that it makes
 * complete, and takes no lock; whoever calls sees to it
 * that no file goes meanwhile (off line by the spool's lock, on line by
 * store_pin()).  It runs in a process of its own, for an index whose pages are
 * wrong may end its reader.  All it finds it says in words, as it finds it.
 */
#ifndef MTAD_QUEUED_SURVEY_SURVEY_H
#define MTAD_QUEUED_SURVEY_SURVEY_H

#include "common/base/buf.h"
#include "queued/store/store_overlay.h"

struct survey_sink {
	/* Words for a person, or one JSON object; may come in pieces. */
	void (*text)(void *ctx, struct span text);
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	bool is_json;
};

struct survey_spool {
	const char *path;
	/* Another process writes it: the log is looked at up to where the
	 * index is, and read transactions are short. */
	bool is_live;
	/* ... which should have come up to here; for survey_list() the end. */
	struct store_position until;
	uint64_t at;			/* wall ms of that; 0: now */
	/* For survey_list(): whatever can be saved; all segments then. */
	bool is_salvage;
	/* It is a copy that was made just now: when it has been looked at, it
	 * is told to be whole (survey_manifest.h). */
	bool is_sealing;
	/* Segments that are being removed: they are not looked at. */
	const uint64_t *going;
	size_t going_n;
};

/* Exit codes of `check', part of the contract. */
enum survey_verdict {
	SURVEY_SOUND = 0,
	SURVEY_DAMAGED = 1,
	SURVEY_FAILED = 4,		/* it could not be looked at */
};

/* Everything: file `spool', segments, groups, records, contents, bodies, the
 * index's rows, and each against the others. */
enum survey_verdict survey_check(const struct survey_spool *spool,
    const struct survey_sink *sink);

/* The list of the files that a copy must have, as survey_manifest.h has it but
 * for its end; words are a failure's. */
enum survey_verdict survey_list(const struct survey_spool *spool,
    const struct survey_sink *sink);

#endif
