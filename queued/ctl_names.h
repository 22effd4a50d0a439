/*
 * Recipients of one message by unit and row, as the history names them.
 *
 * Bounded: of a message with very many the last ones have no name here.
 */
#ifndef MTAD_QUEUED_CTL_NAMES_H
#define MTAD_QUEUED_CTL_NAMES_H

#include "common/base/buf.h"

enum { CTL_NAMES_BYTES = 8 << 20 };

struct ctl_name {
	uint32_t unit, row;
	uint32_t at, n;			/* in bytes */
};

struct ctl_names {
	struct buf bytes;
	struct ctl_name *rows;
	size_t n, size;
	size_t hint;			/* found last; the next is behind it */
};

void ctl_names_init(struct ctl_names *names);
void ctl_names_clear(struct ctl_names *names);

/* Without memory nothing happens. */
void ctl_names_add(struct ctl_names *names, uint64_t unit, uint64_t row,
    struct span address);

/* Borrowed until the next add; an empty span when it is not known. */
struct span ctl_names_find(struct ctl_names *names, uint64_t unit,
    uint64_t row);

#endif
