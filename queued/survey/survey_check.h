/*
 * The inside of a check: what its files share.
 */
#ifndef MTAD_QUEUED_SURVEY_SURVEY_CHECK_H
#define MTAD_QUEUED_SURVEY_SURVEY_CHECK_H

#include "queued/store/store_row.h"
#include "queued/survey/survey_log.h"
#include "queued/survey/survey_manifest.h"
#include "queued/survey/survey_report.h"

/* What lives in a segment, by the index's messages. */
struct survey_live {
	uint64_t number;
	uint64_t messages;
	uint64_t bytes;
};

struct survey {
	const struct survey_spool *spool;
	struct survey_report report;
	int dir_fd, log_fd, body_fd;
	uint8_t uuid[16];

	bool is_copy;			/* a backup: it has no index */
	struct survey_manifest manifest;	/* its */
	/* where its large bodies are: map_u64 of struct survey_body */
	struct map_u64 bodies;
	uint64_t gap_after;		/* the group before a gap ... */
	bool has_gap;			/* ... whose end is not known yet */

	struct store_index *index;	/* NULL: can't be used */
	bool has_meta;
	struct store_meta meta;		/* as it was at first */

	struct survey_log log;
	struct store_numbers dead;	/* segments without a live message */
	uint64_t start;			/* highest start number */
	/* messages that neither the index nor a verdict has met: how many
	 * recipients are left of each (map_u64 of counts, never 0) */
	struct map_u64 waiting;
	/* with a file, behind the index's position */
	struct map_u64 fresh_files;
	struct store_result *results;	/* scratch */

	struct survey_body {
		uint64_t id, bytes;	/* of the file */
		uint32_t sum;
		bool is_read;
	} body;				/* the next to be read */
	uint64_t last_body;		/* a file that was read before */
	struct survey_live *live;	/* by number, ascending */
	size_t live_n;
	struct buf scratch;

	struct survey_counts {
		uint64_t segments, groups, records, log_bytes;
		uint64_t messages, units, recipients, bytes, due;
		uint64_t bodies, rows;
	} count;
	enum err failure;		/* it can't go on */
};

/* survey_records.c: every group and record; what is not in the index and not
 * settled is left in `waiting'. */
void survey_read_log(struct survey *s);
/* The verdicts that were written while the index was asked; ERR_*. */
enum err survey_follow(struct survey *s);
/* The rest of `waiting' is settled by what was written meanwhile, or lost. */
void survey_settle_waiting(struct survey *s);

/* survey_copy.c: what is different in a copy of a spool.  Whether it is one;
 * its files against its list; its messages, which no index counts, and their
 * bodies; the end, where it is made complete if that was asked for. */
enum err survey_open_copy(struct survey *s, struct why *why);
void survey_note_body(struct survey *s, uint64_t id,
    const struct store_record_message *m);
void survey_note_lost(struct survey *s, uint64_t after, uint64_t before);
void survey_count_copy(struct survey *s);
enum err survey_seal_copy(struct survey *s, struct why *why);
void survey_print_copy(struct survey *s);
void survey_put_copy(struct survey *s, struct json *j);
void survey_clear_copy(struct survey *s);

/* survey_rows.c: the index's rows, each against the others and the log. */
enum err survey_open_index(struct survey *s);
enum err survey_read_meta(struct survey *s, struct store_meta *out);
void survey_read_index(struct survey *s);
/* Whether the index has the message; a damaged row counts as there. */
bool survey_has_message(struct survey *s, uint64_t id);

/* survey_bodies.c: the files of large bodies. */
void survey_read_body(struct survey *s, uint64_t id, uint64_t bytes,
    uint32_t sum);
void survey_list_bodies(struct survey *s);

#endif
