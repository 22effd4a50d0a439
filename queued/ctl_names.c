/*
 * Both adding and asking go through units and rows in order, so what is asked
 * for nearly always lies behind what was found last.
 */
#include "queued/ctl_names.h"

#include <stdlib.h>

void
ctl_names_init(struct ctl_names *names)
{
	*names = (struct ctl_names){ .n = 0 };
	buf_init(&names->bytes, CTL_NAMES_BYTES);
}

void
ctl_names_clear(struct ctl_names *names)
{
	buf_clear(&names->bytes);
	free(names->rows);
	ctl_names_init(names);
}

static bool
grow(struct ctl_names *names)
{
	size_t size = names->size > 0 ? names->size * 2 : 64;
	struct ctl_name *rows;

	if (names->n < names->size)
		return true;
	rows = realloc(names->rows, size * sizeof(*rows));
	if (rows == NULL)
		return false;
	names->rows = rows;
	names->size = size;
	return true;
}

void
ctl_names_add(struct ctl_names *names, uint64_t unit, uint64_t row,
    struct span address)
{
	size_t at = names->bytes.n;

	if (unit > UINT32_MAX || row > UINT32_MAX || !grow(names))
		return;
	buf_add_span(&names->bytes, address);
	if (buf_failed(&names->bytes)) {
		names->bytes.n = at;
		names->bytes.is_failed = false;
		return;
	}
	names->rows[names->n++] = (struct ctl_name){ .unit = (uint32_t)unit,
	    .row = (uint32_t)row, .at = (uint32_t)at,
	    .n = (uint32_t)address.n };
}

struct span
ctl_names_find(struct ctl_names *names, uint64_t unit, uint64_t row)
{
	for (size_t i = 0; i < names->n; i++) {
		size_t at = (names->hint + i) % names->n;
		const struct ctl_name *name = &names->rows[at];

		if (name->unit != unit || name->row != row)
			continue;
		names->hint = at + 1;
		return span_sub(buf_span(&names->bytes), name->at, name->n);
	}
	return SPAN_NONE;
}
