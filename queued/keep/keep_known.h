/*
 * What a history knows of the messages of a copy: read once from its begin to
 * its end, and done again in the store that was made of the copy.
 *
 * A recipient that was delivered, refused or discarded since is settled; an
 * attempt that failed for now has its next time; what operators held is held.
 * One that failed, whose sender's report is not known to have left, is tried
 * again: the report was lost, and nothing was delivered (I-02).
 */
#ifndef MTAD_QUEUED_KEEP_KEEP_KNOWN_H
#define MTAD_QUEUED_KEEP_KEEP_KNOWN_H

#include "common/base/map.h"
#include "queued/journal/journal_read.h"
#include "queued/keep/keep_store.h"
#include "queued/store/store_write.h"
#include "queued/survey/survey_manifest.h"

struct keep_known {
	struct journal_reader *journal;	/* NULL: there is none */
	uint64_t after, until;		/* groups that it tells of */
	bool is_about;			/* it tells of the copy's spool */
	uint64_t lost_last;		/* last group that it misses; 0: none */
	uint64_t greatest_id;
	struct map_u64 reports;		/* under way: whose message */
	struct map_u64 unreported;	/* messages */
	struct map_u64 alive;		/* accepted, and not over */
	struct map_u64 over;		/* since, as the copy's log says */
	struct buf lists;		/* ids: keep_known_begun() */
	struct keep_listener listener;	/* for keep_store_open() */
	enum err failure;

	struct keep_store *k;		/* while it is applied */
	struct store_result results[STORE_UNIT_RECIPIENTS];
	uint64_t delivered, ended;	/* recipients that it settled */
	uint64_t retried;		/* for their report's sake */
};

/* The history in the working directory, which may have none; about the spool
 * that M is a copy of.  ERR_NOMEM, ERR_IO; clear it in any case. */
enum err keep_known_open(struct keep_known *n,
    const struct survey_manifest *m, struct why *why);
void keep_known_clear(struct keep_known *n);

/* Whether it knows all that became of M's messages since, but for the last
 * moment before the end; WHY says what is missing. */
bool keep_known_is_whole(const struct keep_known *n,
    const struct survey_manifest *m, struct why *why);

/* PART, or a later one, of the list ID was begun: if that was after the copy,
 * the list's id is noted, once.  Its recipients can't be told apart: which of
 * them the parts have had follows from routes that are not known here. */
enum err keep_known_begun(struct keep_known *n, uint64_t id, uint64_t part);

/* ERR_*: the store's. */
enum err keep_known_apply(struct keep_known *n, struct keep_store *k);

/* Messages that it knows to have been alive, and that K does not have: their
 * ids are appended to IDS (8 bytes each). */
enum err keep_known_missing(struct keep_known *n, struct keep_store *k,
    struct buf *ids);

#endif
