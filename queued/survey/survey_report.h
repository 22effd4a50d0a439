/*
 * What a survey finds, said in words or as JSON.
 *
 * Damage is named by segment, offset and message as far as they are known.
 * For people each finding is a line, at once; for programs all are gathered,
 * at most SURVEY_FINDINGS of them, into the object at the end.
 */
#ifndef MTAD_QUEUED_SURVEY_SURVEY_REPORT_H
#define MTAD_QUEUED_SURVEY_SURVEY_REPORT_H

#include "common/base/json.h"
#include "queued/survey/survey.h"

enum { SURVEY_FINDINGS = 10000 };

struct survey_report {
	const struct survey_sink *sink;
	uint64_t damages;
	uint64_t notes;
	struct buf found;		/* JSON: elements of the array */
	struct json json;
	struct buf line;
	uint64_t done, total;		/* bytes, for the progress */
	int64_t told_at_ms;
};

/* Where: 0 for what is not known. */
struct survey_place {
	uint64_t segment;
	uint64_t offset;
	uint64_t id;
};

void survey_report_init(struct survey_report *r,
    const struct survey_sink *sink);
void survey_report_clear(struct survey_report *r);

void survey_damage(struct survey_report *r, struct survey_place at,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Worth knowing, and no damage. */
void survey_note(struct survey_report *r, struct survey_place at,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

void survey_progress(struct survey_report *r, uint64_t more);

/* Words for people, or the pieces of the one JSON object. */
void survey_say(struct survey_report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
