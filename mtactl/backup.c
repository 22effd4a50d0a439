#include "mtactl/backup.h"

#include "common/base/hex.h"
#include "common/base/units.h"

/* PREFIX and 16 hexadecimal digits */
static bool
is_numbered(struct span name, struct span prefix)
{
	if (name.n != prefix.n + 16 ||
	    !span_equal(span_sub(name, 0, prefix.n), prefix))
		return false;
	for (size_t i = prefix.n; i < name.n; i++)
		if (hex_value(name.p[i]) < 0)
			return false;
	return true;
}

static bool
is_known(struct span name)
{
	return span_equal(name, SPAN_LIT("spool")) ||
	    span_equal(name, SPAN_LIT("clock")) ||
	    is_numbered(name, SPAN_LIT("log/log.")) ||
	    is_numbered(name, SPAN_LIT("body/body."));
}

bool
backup_next(struct span *rest, struct backup_line *out)
{
	static const struct span file = SPAN_LIT("file ");
	size_t end = span_find(*rest, '\n'), blank;
	struct backup_line line = { .text = span_sub(*rest, 0, end + 1) };
	struct span words = span_sub(*rest, 0, end);

	if (end == rest->n)
		return false;
	line.is_file = span_equal(span_sub(words, 0, file.n), file);
	if (line.is_file) {
		words = span_from(words, file.n);
		blank = span_find(words, ' ');
		if (!is_known(span_sub(words, 0, blank)) ||
		    !span_copy(span_sub(words, 0, blank), line.name,
		    sizeof(line.name)) || units_parse_u64(span_from(words,
		    blank + 1), &line.bytes) != OK)
			return false;
	}
	*rest = span_from(*rest, end + 1);
	*out = line;
	return true;
}
