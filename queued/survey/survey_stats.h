/*
 * The figures of a spool, printed; those of a living one come from its store,
 * those of one at rest from its files and its index.
 */
#ifndef MTAD_QUEUED_SURVEY_SURVEY_STATS_H
#define MTAD_QUEUED_SURVEY_SURVEY_STATS_H

#include "queued/store/store_stats.h"

struct survey_stats {
	struct store_stats all;
	struct store_stats_segment *segments;	/* all.segments rows; owned */
	bool is_live;			/* has a lag, and room */
};

void survey_stats_clear(struct survey_stats *s);

enum err survey_stats_live(struct store *store, struct survey_stats *out);

/* Of the spool at PATH, whose lock the caller has. */
enum err survey_stats_at_rest(const char *path, struct survey_stats *out,
    struct why *why);

/* Appends a table for people, or one JSON object in a line. */
void survey_stats_print(const struct survey_stats *s, bool is_json,
    struct buf *out);

#endif
