#include "common/sts/sts_record.h"

#include "common/sts/sts_text.h"

#define VERSION	SPAN_LIT("v=STSv1")

bool
sts_id_is_valid(struct span id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!sts_is_alnum(id.p[i]))
			return false;
	return id.n > 0 && id.n < STS_ID_SIZE;
}

static bool
is_value(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 127 || s.p[i] == ';' ||
		    s.p[i] == '=')
			return false;
	return s.n > 0;
}

/* Behind the version: at least an id. */
static bool
read_fields(struct span text, char id[STS_ID_SIZE])
{
	bool has_id = false;

	while (text.n > 0) {
		size_t end = span_find(text, ';'), equal;
		struct span field = sts_trim(span_sub(text, 0, end));
		struct span name, value;

		/* the last delimiter has nothing behind it */
		if (field.n == 0 && end == text.n)
			break;
		text = span_from(text, end + 1);
		equal = span_find(field, '=');
		name = span_sub(field, 0, equal);
		value = span_from(field, equal + 1);
		if (!sts_is_name(name) || !is_value(value))
			return false;
		if (has_id || !span_equal(name, SPAN_LIT("id")))
			continue;
		if (!sts_id_is_valid(value))
			return false;
		has_id = span_copy(value, id, STS_ID_SIZE);
	}
	return has_id;
}

void
sts_records_add(struct sts_records *r, struct span text)
{
	size_t end = span_find(text, ';');

	if (end == text.n || !span_equal(sts_trim(span_sub(text, 0, end)),
	    VERSION) || text.p[0] != 'v')
		return;
	r->n++;
	if (!read_fields(span_from(text, end + 1), r->id))
		r->is_bad = true;
}

const char *
sts_records_id(const struct sts_records *r)
{
	return r->n == 1 && !r->is_bad ? r->id : NULL;
}
