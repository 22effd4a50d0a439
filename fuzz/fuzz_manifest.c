/*
 * The list of a copy's files: read as what lies on disk, complete or not; what
 * is understood says the same when it is written and read again.
 */
#include "common/base/check.h"
#include "queued/survey/survey_manifest.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
read_again(const struct survey_manifest *m)
{
	struct survey_manifest got;
	struct buf text;

	buf_init(&text, SURVEY_MANIFEST_MAX);
	survey_manifest_put(&text, m);
	MUST(survey_manifest_parse(buf_span(&text), false, &got) == OK);
	MUST(got.n == m->n && got.lost_n == m->lost_n && got.at == m->at &&
	    got.damages == m->damages && got.is_salvage == m->is_salvage);
	for (size_t i = 0; i < m->n; i++) {
		MUST(survey_manifest_knows(span_str(got.files[i].name)));
		MUST(got.files[i].bytes == m->files[i].bytes);
	}
	survey_manifest_clear(&got);
	buf_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct survey_manifest m;
	enum err e = survey_manifest_parse(span_of(data, size), false, &m);

	if (e == OK)
		read_again(&m);
	survey_manifest_clear(&m);
	(void)survey_manifest_parse(span_of(data, size), true, &m);
	survey_manifest_clear(&m);
	return 0;
}
