/*
 * What children may know of the environment we were started with: the time
 * zone, for the Received line and the log, and in instrumented builds the
 * options of the sanitizers.  Anything else (LD_*, MALLOC_*, LIBEV_FLAGS,
 * proxies) could change what a privileged process does.
 */
#include "mtad/environment.h"

#include "common/base/check.h"

#include <string.h>
#include <unistd.h>

static const char *const names[] = {
	"TZ",
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
#endif
};

/* "NAME=value" of our environment, or NULL. */
static const char *
find(const char *name)
{
	const size_t n = strlen(name);

	for (char **entry = environ; *entry != NULL; entry++) {
		if (strncmp(*entry, name, n) == 0 && (*entry)[n] == '=')
			return *entry;
	}
	return NULL;
}

void
environment_choose(const char **out, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *entry = find(names[i]);

		if (entry != NULL && count + 1 < size)
			out[count++] = entry;
	}
	out[count] = NULL;
}
