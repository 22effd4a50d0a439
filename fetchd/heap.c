#include "fetchd/heap.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

void *
heap_alloc(size_t n)
{
	return malloc(n);
}

void *
heap_alloc_zero(size_t count, size_t n)
{
	return calloc(count, n);
}

char *
heap_copy(const char *s)
{
	return strdup(s);
}

void
heap_free(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* Never in place: what realloc() leaves behind can't be reached any more. */
void *
heap_realloc(void *p, size_t n)
{
	void *other = malloc(n);
	size_t old = p == NULL ? 0 : malloc_usable_size(p);

	if (other == NULL)
		return NULL;
	if (p != NULL)
		memcpy(other, p, old < n ? old : n);
	heap_free(p);
	return other;
}

/* ---- as OpenSSL asks for it ---- */

static void *
openssl_alloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return heap_alloc(n);
}

static void *
openssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return heap_realloc(p, n);
}

static void
openssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	heap_free(p);
}

bool
heap_cover_openssl(void)
{
	return CRYPTO_set_mem_functions(openssl_alloc, openssl_realloc,
	    openssl_free) == 1;
}
