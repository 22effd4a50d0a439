/*
 * The order matters: chroot() needs root, dropping needs the capabilities that
 * are dropped with it, and whatever hides our memory must come last, because a
 * change of user resets it.
 */
#include "common/os/sandbox.h"

#include "common/os/file_check.h"
#include "common/os/rlimit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

#if IS_SANITIZED
static int is_closed_in;

/* Asked by the leak checker at the end: without /proc it cannot work. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return is_closed_in;
}
#endif

static enum err
failed(struct why *why, const char *step, const char *what)
{
	return why_set(why, ERR_IO, "%s %s: %s", step, what, strerror(errno));
}

/*
 * The directory is root's, or the user's own: the spool belongs to the one who
 * is closed into it.  Nobody else may put anything there.  chdir() first: a
 * working directory outside would be a way out.
 */
static enum err
close_into(const char *root, const struct creds_user *user, struct why *why)
{
	enum err e = file_check_closed(root, user->uid, why);

	if (e != OK)
		return e;
	if (chdir(root) < 0)
		return failed(why, "chdir", root);
	if (chroot(".") < 0)
		return failed(why, "chroot", root);
#if IS_SANITIZED
	is_closed_in = 1;
#endif
	return OK;
}

/* Nobody of the same user may trace us or read our memory. */
static enum err
hide_memory(struct why *why)
{
	/* the leak checker has to trace its own process, which a change of
	 * user forbids */
	if (prctl(PR_SET_DUMPABLE, IS_SANITIZED, 0, 0, 0) < 0)
		return failed(why, "prctl", "dumpable");
	return OK;
}

/* Without root there is no chroot and no change of user: what is left is to
 * give up capabilities and later ones. */
enum err
sandbox_enter(const struct sandbox *sandbox, struct why *why)
{
	enum err e = OK;

	if (rlimit_no_core() != OK)
		return failed(why, "setrlimit", "core");
	if (sandbox->is_root) {
		e = close_into(sandbox->root, &sandbox->user, why);
		if (e == OK)
			e = creds_drop(&sandbox->user, why);
	} else {
		e = creds_drop_capabilities(why);
	}
	if (e != OK)
		return e;
	/* for good and inherited: no exec gains anything, whatever it finds */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(why, "prctl", "no_new_privs");
	return hide_memory(why);
}

static enum err
check_no_entries(DIR *d, const char *path, struct why *why)
{
	const struct dirent *entry;

	errno = 0;
	while ((entry = readdir(d)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			return why_set(why, ERR_DENIED,
			    "%s: must be empty", path);
	}
	return errno == 0 ? OK : failed(why, "read", path);
}

enum err
sandbox_check_empty(const char *dir, struct why *why)
{
	enum err e = file_check_closed(dir, (uid_t)-1, why);
	DIR *d;

	if (e != OK)
		return e;
	d = opendir(dir);
	if (d == NULL)
		return failed(why, "open", dir);
	e = check_no_entries(d, dir, why);
	(void)closedir(d);
	return e;
}
