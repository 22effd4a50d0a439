/*
 * getrandom() without flags waits until the pool was filled once after boot,
 * and never again; it needs no descriptor, so it works in an empty root.
 */
#include "common/os/random.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

enum err
random_fill(void *p, size_t n)
{
	uint8_t *at = p;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		at += got;
		n -= (size_t)got;
	}
	return OK;
}

enum err
random_u64(uint64_t *out)
{
	uint64_t v;
	enum err e = random_fill(&v, sizeof(v));

	if (e == OK)
		*out = v;
	return e;
}

/* One for each map that takes keys from the network. */
enum err
random_key(struct siphash_key *out)
{
	struct siphash_key key;
	enum err e = random_fill(&key, sizeof(key));

	if (e == OK)
		*out = key;
	return e;
}
