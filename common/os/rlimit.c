/*
 * The kernel's usual limit of 1024 descriptors is fewer than a worker can have
 * sessions.  Whatever is got is told, for the daemon to bound them by it.
 */
#include "common/os/rlimit.h"

#include <sys/resource.h>

/* Raises the hard limit too, where we may. */
static void
raise_to(struct rlimit limit, rlim_t wanted)
{
	struct rlimit higher = limit;

	higher.rlim_cur = wanted;
	if (wanted > limit.rlim_max)
		higher.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
		return;
	/* not allowed: as far as the hard limit goes */
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

enum err
rlimit_raise_files(uint64_t wanted, uint64_t *got)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return ERR_IO;
	if (limit.rlim_cur < wanted) {
		raise_to(limit, (rlim_t)wanted);
		if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
			return ERR_IO;
	}
	*got = (uint64_t)limit.rlim_cur;
	return OK;
}

/* A core would write mail and keys to disk. */
enum err
rlimit_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &none) < 0 ? ERR_IO : OK;
}
