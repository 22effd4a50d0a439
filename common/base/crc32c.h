/*
 * CRC-32C (Castagnoli; RFC 3720 section 12.1), by the processor's instruction
 * where it has one.
 */
#ifndef MTAD_BASE_CRC32C_H
#define MTAD_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The sum of what came before (0 at the start) and N more bytes. */
uint32_t crc32c(uint32_t before, const void *p, size_t n);

/* The same without the instruction, for processors that lack it. */
uint32_t crc32c_by_table(uint32_t before, const void *p, size_t n);

#endif
