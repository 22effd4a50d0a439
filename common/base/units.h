/*
 * Numbers, durations and sizes as people write and read them.
 */
#ifndef MTAD_BASE_UNITS_H
#define MTAD_BASE_UNITS_H

#include "common/base/err.h"
#include "common/base/span.h"

#define UNITS_TEXT_SIZE 32

/* Digits only, no sign.  ERR_SYNTAX, ERR_RANGE above 64 bits. */
enum err units_parse_u64(struct span text, uint64_t *out);

/* One number and one of ms s m h d w; "0" alone needs no unit.  ERR_SYNTAX;
 * ERR_RANGE above UNITS_MS_MAX (a thousand years). */
#define UNITS_MS_MAX (INT64_C(366000) * 24 * 3600 * 1000)
enum err units_parse_ms(struct span text, int64_t *ms);

/* Plain bytes, or a number and one of K KiB M MiB G GiB T TiB, each 1024
 * times the one before, in any case.  ERR_SYNTAX, ERR_RANGE. */
enum err units_parse_bytes(struct span text, uint64_t *bytes);

/* Exact, in the largest unit that divides: "90s", "4KiB", "1025"; parsing
 * gives the same number.  NUL-terminated; each returns the length. */
size_t units_format_ms(int64_t ms, char out[UNITS_TEXT_SIZE]);
size_t units_format_bytes(uint64_t bytes, char out[UNITS_TEXT_SIZE]);

/* For a glance, two figures that matter: "2h05m", "340ms"; "1.4MiB". */
size_t units_glance_ms(int64_t ms, char out[UNITS_TEXT_SIZE]);
size_t units_glance_bytes(uint64_t bytes, char out[UNITS_TEXT_SIZE]);

#endif
