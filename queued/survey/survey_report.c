#include "queued/survey/survey_report.h"

#include "common/mail/queue_id.h"
#include "common/os/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { PROGRESS_MS = 100, WHAT_MAX = 256 };

void
survey_report_init(struct survey_report *r, const struct survey_sink *sink)
{
	*r = (struct survey_report){ .sink = sink };
	buf_init(&r->found, (size_t)16 << 20);
	buf_init(&r->line, (size_t)64 << 10);
	json_init(&r->json, &r->found);
	json_array(&r->json);
}

void
survey_report_clear(struct survey_report *r)
{
	buf_clear(&r->found);
	buf_clear(&r->line);
}

static void
say_line(struct survey_report *r, const char *kind, struct survey_place at,
    const char *what)
{
	char id[QUEUE_ID_SIZE];

	buf_reset(&r->line);
	buf_addf(&r->line, "%s: ", kind);
	if (at.segment != 0)
		buf_addf(&r->line, "segment %" PRIu64 " at %" PRIu64 ": ",
		    at.segment, at.offset);
	if (at.id != 0) {
		queue_id_format(at.id, id);
		buf_addf(&r->line, "message %s: ", id);
	}
	buf_addf(&r->line, "%s\n", what);
	r->sink->text(r->sink->ctx, buf_span(&r->line));
}

static void
gather(struct survey_report *r, const char *kind, struct survey_place at,
    const char *what)
{
	struct json *j = &r->json;
	char id[QUEUE_ID_SIZE];

	json_object(j);
	json_key(j, "kind");
	json_str(j, kind);
	if (at.segment != 0) {
		json_key(j, "segment");
		json_u64(j, at.segment);
		json_key(j, "offset");
		json_u64(j, at.offset);
	}
	if (at.id != 0) {
		queue_id_format(at.id, id);
		json_key(j, "id");
		json_str(j, id);
	}
	json_key(j, "what");
	json_str(j, what);
	json_object_end(j);
}

static void
find(struct survey_report *r, const char *kind, struct survey_place at,
    const char *format, va_list args)
{
	char what[WHAT_MAX];

	/* the rest is counted: nobody reads that much */
	if (r->damages + r->notes > SURVEY_FINDINGS)
		return;
	(void)vsnprintf(what, sizeof(what), format, args);
	if (r->sink->is_json)
		gather(r, kind, at, what);
	else
		say_line(r, kind, at, what);
}

void
survey_damage(struct survey_report *r, struct survey_place at,
    const char *format, ...)
{
	va_list args;

	r->damages++;
	va_start(args, format);
	find(r, "damage", at, format, args);
	va_end(args);
}

void
survey_note(struct survey_report *r, struct survey_place at,
    const char *format, ...)
{
	va_list args;

	r->notes++;
	va_start(args, format);
	find(r, "note", at, format, args);
	va_end(args);
}

/* Ten times a second is enough for a person. */
void
survey_progress(struct survey_report *r, uint64_t more)
{
	int64_t now = clock_mono_ms();

	r->done += more;
	if (now - r->told_at_ms < PROGRESS_MS)
		return;
	r->told_at_ms = now;
	r->sink->progress(r->sink->ctx, r->done < r->total ? r->done :
	    r->total, r->total);
}

void
survey_say(struct survey_report *r, const char *format, ...)
{
	char text[WHAT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->sink->text(r->sink->ctx, span_str(text));
}
