#include "tests/crash/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, STEP = 1 << 16 };

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void
tree_remove(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char name[PATH_BYTES];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (is_dots(entry->d_name))
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path,
		    entry->d_name);
		if (entry->d_type == DT_DIR)
			tree_remove(name);
		else
			(void)unlink(name);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(path);
}

/* ---- comparing ---- */

static bool
differs(char *why, const char *name, const char *how)
{
	(void)snprintf(why, 256, "%.200s %s", name, how);
	return false;
}

static bool
same_bytes(int a, int b, const char *name, char *why)
{
	static uint8_t x[STEP], y[STEP];
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(a, x, sizeof(x), at);
		ssize_t m = pread(b, y, sizeof(y), at);

		if (n != m || n < 0)
			return differs(why, name, "has another size");
		if (n == 0)
			return true;
		if (memcmp(x, y, (size_t)n) != 0)
			return differs(why, name, "has other contents");
		at += n;
	}
}

static bool
same_file(const char *a, const char *b, char *why)
{
	int x = open(a, O_RDONLY | O_CLOEXEC);
	int y = open(b, O_RDONLY | O_CLOEXEC);
	bool same;

	same = x >= 0 && y >= 0 ? same_bytes(x, y, a, why) :
	    differs(why, x < 0 ? a : b, "is missing");
	if (x >= 0)
		(void)close(x);
	if (y >= 0)
		(void)close(y);
	return same;
}

static bool
is_lock(const char *name)
{
	return strcmp(name, "lock") == 0 || strcmp(name, "lock.mdb") == 0;
}

/* What A has, B has too. */
static bool
contains(const char *a, const char *b, bool with_bytes, char *why)
{
	DIR *dir = opendir(a);
	const struct dirent *entry;
	char x[PATH_BYTES], y[PATH_BYTES];
	struct stat st;
	bool same = dir != NULL || differs(why, a, "is missing");

	while (same && (entry = readdir(dir)) != NULL) {
		if (is_dots(entry->d_name))
			continue;
		(void)snprintf(x, sizeof(x), "%s/%s", a, entry->d_name);
		(void)snprintf(y, sizeof(y), "%s/%s", b, entry->d_name);
		if (lstat(y, &st) != 0)
			same = differs(why, y, "is missing");
		else if (entry->d_type == DT_DIR)
			same = contains(x, y, with_bytes, why);
		else if (with_bytes && !is_lock(entry->d_name))
			same = same_file(x, y, why);
	}
	if (dir != NULL)
		(void)closedir(dir);
	return same;
}

bool
tree_compare(const char *a, const char *b, char *why)
{
	return contains(a, b, true, why) && contains(b, a, false, why);
}
