/*
 * What children see of the environment: TZ, and nothing else; in a build with
 * sanitizers, their options too.
 */
#ifndef MTAD_MTAD_ENVIRONMENT_H
#define MTAD_MTAD_ENVIRONMENT_H

#include <stddef.h>

/* Fills OUT with at most SIZE - 1 "NAME=value" that live as long as our own
 * environment, and a NULL. */
void environment_choose(const char **out, size_t size);

#endif
