/*
 * The memory of libcurl, and of OpenSSL below it: what they give back is
 * overwritten first, for it has been through tokens, refresh tokens and client
 * secrets (I-07).
 *
 * Not covered is what OpenSSL keeps of a record that it has just read or is
 * about to write while the connection lives, which is never used again.
 */
#ifndef MTAD_FETCHD_HEAP_H
#define MTAD_FETCHD_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* As malloc(3) and its kin, and strdup(3). */
void *heap_alloc(size_t n);
void *heap_alloc_zero(size_t count, size_t n);
void *heap_realloc(void *p, size_t n);
char *heap_copy(const char *s);
void heap_free(void *p);

/* For OpenSSL; first of all in the process, as it takes no other memory once it
 * has some.  False: it has. */
bool heap_cover_openssl(void);

#endif
