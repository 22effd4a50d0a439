/*
 * The memory of libcurl: what it gives back is overwritten first, for it has
 * been through tokens, refresh tokens and client secrets (I-07).
 *
 * Not covered is what OpenSSL keeps of a record that it has just read or is
 * about to write; it lives until the connection ends, which is never used
 * again.
 */
#ifndef MTAD_FETCHD_HEAP_H
#define MTAD_FETCHD_HEAP_H

#include <stddef.h>

/* As malloc(3) and its kin, and strdup(3). */
void *heap_alloc(size_t n);
void *heap_alloc_zero(size_t count, size_t n);
void *heap_realloc(void *p, size_t n);
char *heap_copy(const char *s);
void heap_free(void *p);

#endif
