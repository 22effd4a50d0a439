/*
 * What residence_lines.c keeps between two calls.
 */
#ifndef MTAD_QUEUED_RESIDENCE_LINES_TABLE_H
#define MTAD_QUEUED_RESIDENCE_LINES_TABLE_H

#include "queued/store/store_read.h"

enum { RESIDENCE_LINES = 32, RESIDENCE_LINE_KEY = 1024 };

struct residence_line {
	uint64_t hash;			/* of the key */
	struct store_due first;		/* none of it lies before this … */
	struct store_due at;		/* … nor, unseen, before this */
	int64_t left_at;		/* the last of it went to the index */
	int64_t begun_at;		/* the walk from FIRST on */
	int64_t next_at;		/* it does not go on before this */
	uint64_t rows;			/* that it has looked at */
	bool has_found;			/* some of them were taken in */
	uint16_t key_bytes;
	uint8_t key[RESIDENCE_LINE_KEY];
};

struct residence_lines {
	uint32_t n;
	uint32_t turn;			/* whose it is */
	struct residence_line lines[RESIDENCE_LINES];
};

#endif
