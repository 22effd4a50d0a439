/*
 * Shell-like patterns: `*` any run of bytes, `?` one byte; ASCII case ignored.
 */
#ifndef MTAD_BASE_GLOB_H
#define MTAD_BASE_GLOB_H

#include "common/base/span.h"

/* Needs no memory; time grows with pattern times text at worst, never more. */
bool glob_match(struct span pattern, struct span text);

/* Whether the pattern has a `*` or `?` at all. */
bool glob_has_wildcard(struct span pattern);

#endif
