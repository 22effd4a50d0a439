/*
 * After Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012): two
 * rounds a word, four at the end.  Keys of maps come from the network; with a
 * secret seed nobody can choose ones that collide.
 */
#include "common/base/siphash.h"

#include <endian.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static inline void
sip_round(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline struct state
begin(const struct siphash_key *key)
{
	/* "somepseudorandomlygeneratedbytes" */
	return (struct state){
		key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573),
	};
}

/* One word into the state; two rounds between. */
static inline void
mix(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

static inline uint64_t
finish(struct state *s)
{
	s->v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Little-endian, as the paper has it. */
static inline uint64_t
load_eight(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

/* The last word: what is left, and the length in the top byte. */
static inline uint64_t
last_word(const uint8_t *p, size_t left, size_t length)
{
	uint64_t word = (uint64_t)length << 56;

	for (size_t i = 0; i < left; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t
siphash(const struct siphash_key *key, struct span s)
{
	struct state state = begin(key);
	const uint8_t *p = s.p;
	size_t left;

	for (left = s.n; left >= 8; left -= 8, p += 8)
		mix(&state, load_eight(p));
	mix(&state, last_word(p, left, s.n));
	return finish(&state);
}

/* The same sum as siphash() over the number's eight little-endian bytes. */
uint64_t
siphash_u64(const struct siphash_key *key, uint64_t v)
{
	struct state state = begin(key);

	mix(&state, v);
	mix(&state, last_word(NULL, 0, sizeof(v)));
	return finish(&state);
}
