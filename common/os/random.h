/*
 * Random bytes from the kernel: for keys, tokens, seeds.
 */
#ifndef MTAD_OS_RANDOM_H
#define MTAD_OS_RANDOM_H

#include "common/base/err.h"
#include "common/base/siphash.h"

#include <stddef.h>
#include <stdint.h>

/* Waits only while a machine boots.  ERR_IO. */
enum err random_fill(void *p, size_t n);
enum err random_u64(uint64_t *out);
enum err random_key(struct siphash_key *out);

#endif
