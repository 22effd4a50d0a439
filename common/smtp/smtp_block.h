/*
 * Where the line ends are in 64 octets: what both dot transforms look at
 * before they touch single octets.  Private to this room.
 */
#ifndef MTAD_SMTP_SMTP_BLOCK_H
#define MTAD_SMTP_SMTP_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__SSE2__) && !defined(SMTP_BLOCK_PORTABLE)
#include <emmintrin.h>
#define SMTP_BLOCK_SSE2 1
#endif

#define SMTP_BLOCK_SIZE 64

struct smtp_block {
	uint64_t cr, lf;	/* bit N: octet N is one */
	bool has_8bit, has_nul;
};

#ifdef SMTP_BLOCK_SSE2

static inline uint64_t
smtp_block_mask(__m128i v, uint8_t c)
{
	__m128i same = _mm_cmpeq_epi8(v, _mm_set1_epi8((char)c));

	return (uint64_t)(uint32_t)_mm_movemask_epi8(same);
}

static inline struct smtp_block
smtp_block_load(const uint8_t *p)
{
	struct smtp_block b = { 0, 0, false, false };
	__m128i any = _mm_setzero_si128();
	__m128i least = _mm_set1_epi8((char)0xff);

	for (int i = 0; i < 4; i++) {
		const void *at = p + 16 * i;
		__m128i v = _mm_loadu_si128((const __m128i *)at);

		b.cr |= smtp_block_mask(v, '\r') << (16 * i);
		b.lf |= smtp_block_mask(v, '\n') << (16 * i);
		any = _mm_or_si128(any, v);
		least = _mm_min_epu8(least, v);
	}
	b.has_8bit = _mm_movemask_epi8(any) != 0;
	b.has_nul = smtp_block_mask(least, 0) != 0;
	return b;
}

#else

/* Bit N: octet N of V is C.  Exact, no carry from octet to octet. */
static inline uint64_t
smtp_block_mask(uint64_t v, uint8_t c)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
	uint64_t x = v ^ (0x0101010101010101ULL * c);
	uint64_t zero = ~(((x & low) + low) | x | low) >> 7;

	/* gathers the eight flags in the top octet */
	return zero * 0x0102040810204080ULL >> 56;
}

static inline struct smtp_block
smtp_block_load(const uint8_t *p)
{
	struct smtp_block b = { 0, 0, false, false };
	uint64_t any = 0, nul = 0;

	for (int i = 0; i < SMTP_BLOCK_SIZE; i += 8) {
		uint64_t v = 0;

		for (int k = 0; k < 8; k++)
			v |= (uint64_t)p[i + k] << (8 * k);
		b.cr |= smtp_block_mask(v, '\r') << i;
		b.lf |= smtp_block_mask(v, '\n') << i;
		nul |= smtp_block_mask(v, 0);
		any |= v;
	}
	b.has_8bit = (any & 0x8080808080808080ULL) != 0;
	b.has_nul = nul != 0;
	return b;
}

#endif

/* Does each LF follow a CR and each CR stand before an LF (or at the end)?
 * BEHIND_CR: the octet before this block was a CR. */
static inline bool
smtp_block_is_clean(const struct smtp_block *b, bool behind_cr)
{
	return (b->cr << 1 | (uint64_t)behind_cr) == b->lf;
}

/* Does a line that begins in here begin with a dot?  AT_START: the block is
 * the beginning of a line.  A line that begins behind it is not asked for. */
static inline bool
smtp_block_has_dot(const struct smtp_block *b, const uint8_t *p, bool at_start)
{
	uint64_t starts = b->lf << 1;

	if (at_start && p[0] == '.')
		return true;
	for (; starts != 0; starts &= starts - 1) {
		if (p[__builtin_ctzll(starts)] == '.')
			return true;
	}
	return false;
}

#endif
