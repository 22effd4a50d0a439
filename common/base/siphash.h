/*
 * SipHash-2-4: a keyed 64-bit hash that an outsider cannot steer.
 *
 * For tables whose keys come from the network.  Not a signature.
 */
#ifndef MTAD_BASE_SIPHASH_H
#define MTAD_BASE_SIPHASH_H

#include "common/base/span.h"

struct siphash_key {
	uint64_t k0;
	uint64_t k1;
};

uint64_t siphash(const struct siphash_key *key, struct span s);

/* The same as siphash() of V's eight bytes, little-endian. */
uint64_t siphash_u64(const struct siphash_key *key, uint64_t v);

#endif
