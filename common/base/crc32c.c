/*
 * Three ways to one sum: byte by byte, eight bytes by tables, and by the
 * processor.  The tables are made at start: written out they would be three
 * thousand numbers that nobody can review.
 */
#include "common/base/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u		/* bits reversed */

/* tables[k][byte]: the sum of BYTE followed by k zero bytes */
static uint32_t tables[8][256];

/* A sum over LANE zero bytes more, for each byte of the sum before. */
#define LANE 256
static uint32_t lane_tables[4][256];

/* The register holds the sum with its bits inverted, here and below. */
static uint32_t
sum_byte(uint32_t sum, uint8_t byte)
{
	return sum >> 8 ^ tables[0][(sum ^ byte) & 0xff];
}

/* Sums are linear: those of single bits make all others. */
static void
fill_lane_tables(void)
{
	for (uint32_t k = 0; k < 4; k++) {
		for (uint32_t bit = 1; bit < 256; bit *= 2) {
			uint32_t sum = bit << (8 * k);

			for (int i = 0; i < LANE; i++)
				sum = sum_byte(sum, 0);
			for (uint32_t lower = 0; lower < bit; lower++)
				lane_tables[k][bit + lower] =
				    lane_tables[k][lower] ^ sum;
		}
	}
}

/* Filled before main(), when there is one thread only. */
__attribute__((constructor)) static void
fill_tables(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ POLYNOMIAL : v >> 1;
		tables[0][i] = v;
	}
	for (int k = 1; k < 8; k++) {
		for (int i = 0; i < 256; i++) {
			uint32_t v = tables[k - 1][i];

			tables[k][i] = v >> 8 ^ tables[0][v & 0xff];
		}
	}
	fill_lane_tables();
}

/* Eight bytes at once ("slicing by 8"). */
static uint32_t
sum_eight(uint32_t sum, const uint8_t *p)
{
	uint32_t low = sum ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 |
	    (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);

	return tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^
	    tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
	    tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^
	    tables[0][p[7]];
}

uint32_t
crc32c_by_table(uint32_t before, const void *p, size_t n)
{
	const uint8_t *at = p;
	uint32_t sum = ~before;

	for (; n >= 8; n -= 8, at += 8)
		sum = sum_eight(sum, at);
	for (; n > 0; n--)
		sum = sum_byte(sum, *at++);
	return ~sum;
}

#if defined(__x86_64__)

#define WITH_INSTRUCTION __attribute__((target("sse4.2")))

WITH_INSTRUCTION static inline uint64_t
sum_word(uint64_t sum, const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return __builtin_ia32_crc32di(sum, word);
}

/* The sum as it would be behind LANE zero bytes. */
static uint64_t
skip_lane(uint64_t sum)
{
	return lane_tables[0][sum & 0xff] ^ lane_tables[1][sum >> 8 & 0xff] ^
	    lane_tables[2][sum >> 16 & 0xff] ^ lane_tables[3][sum >> 24];
}

/* The instruction takes three cycles and a new one starts each cycle: three
 * lanes side by side, then joined. */
WITH_INSTRUCTION static uint64_t
sum_three_lanes(uint64_t sum, const uint8_t *p)
{
	uint64_t second = 0, third = 0;

	for (int i = 0; i < LANE; i += 8) {
		sum = sum_word(sum, p + i);
		second = sum_word(second, p + LANE + i);
		third = sum_word(third, p + 2 * LANE + i);
	}
	return skip_lane(skip_lane(sum) ^ second) ^ third;
}

WITH_INSTRUCTION static uint32_t
sum_by_instruction(uint32_t before, const uint8_t *p, size_t n)
{
	uint64_t sum = ~before;
	uint32_t rest;

	/* long runs by lanes, the rest word by word, its rest byte by byte */
	for (; n >= 3 * LANE; n -= 3 * LANE, p += 3 * LANE)
		sum = sum_three_lanes(sum, p);
	for (; n >= 8; n -= 8, p += 8)
		sum = sum_word(sum, p);
	rest = (uint32_t)sum;
	for (; n > 0; n--)
		rest = __builtin_ia32_crc32qi(rest, *p++);
	return ~rest;
}

uint32_t
crc32c(uint32_t before, const void *p, size_t n)
{
	if (__builtin_cpu_supports("sse4.2"))
		return sum_by_instruction(before, p, n);
	return crc32c_by_table(before, p, n);
}

#else

uint32_t
crc32c(uint32_t before, const void *p, size_t n)
{
	return crc32c_by_table(before, p, n);
}

#endif
