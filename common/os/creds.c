/*
 * Capabilities by raw system calls: a library for forty lines is one more
 * thing to trust in a process that is still root.
 *
 * Each step of the drop is checked by its result, and the whole of it once
 * more by asking the kernel: a process that has kept a right must not start
 * (I-07).
 */
#include "common/os/creds.h"

#include "common/base/span.h"
#include "common/base/units.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOKUP_MAX ((size_t)1024 * 1024)
#define PEER_GROUPS_MAX 65536u		/* the kernel's NGROUPS_MAX */

/* Users and groups may be given by number, too. (uid_t)-1 means "unchanged" to
 * the kernel, so it is nobody's number. */
static bool
parse_number(const char *name, unsigned *out)
{
	uint64_t v;

	if (units_parse_u64(span_str(name), &v) != OK || v >= UINT32_MAX)
		return false;
	*out = (unsigned)v;
	return true;
}

/* One try of a look-up in SCRATCH; ERANGE asks for more of it. */
typedef int lookup(const char *name, char *scratch, size_t size, void *out);

static int
look_up_user(const char *name, char *scratch, size_t size, void *out)
{
	struct creds_user *user = out;
	struct passwd entry, *found = NULL;
	unsigned number;
	int error;

	if (parse_number(name, &number))
		error = getpwuid_r(number, &entry, scratch, size, &found);
	else
		error = getpwnam_r(name, &entry, scratch, size, &found);
	if (found == NULL)
		return error != 0 ? error : ENOENT;
	*user = (struct creds_user){ found->pw_uid, found->pw_gid };
	return 0;
}

static int
look_up_group(const char *name, char *scratch, size_t size, void *out)
{
	struct group entry, *found = NULL;
	gid_t *gid = out;
	unsigned number;
	int error;

	if (parse_number(name, &number))
		error = getgrgid_r(number, &entry, scratch, size, &found);
	else
		error = getgrnam_r(name, &entry, scratch, size, &found);
	if (found == NULL)
		return error != 0 ? error : ENOENT;
	*gid = found->gr_gid;
	return 0;
}

/* A group can have thousands of members: the scratch space grows for them. */
static enum err
look_up(lookup *try, const char *name, void *out)
{
	int error = ERANGE;

	for (size_t size = 4096; error == ERANGE && size <= LOOKUP_MAX;
	    size *= 2) {
		char *scratch = malloc(size);

		if (scratch == NULL)
			return ERR_NOMEM;
		error = try(name, scratch, size, out);
		free(scratch);
	}
	switch (error) {
	case 0:
		return OK;
	case ENOENT:		/* the ways of saying so (getpwnam(3)) */
	case ESRCH:
	case EBADF:
	case EPERM:
		return ERR_NOT_FOUND;
	default:
		errno = error;
		return ERR_IO;
	}
}

/* By name or number; the number too must be known to the system. */
enum err
creds_user(const char *name, struct creds_user *out)
{
	return look_up(look_up_user, name, out);
}

enum err
creds_group(const char *name, gid_t *out)
{
	return look_up(look_up_group, name, out);
}

/* Who connected, by the kernel's word: as it was at connect(). */
enum err
creds_peer(int sock, struct creds_peer *out)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    size != sizeof(peer))
		return ERR_IO;
	*out = (struct creds_peer){ peer.pid, peer.uid, peer.gid };
	return OK;
}

static bool
has_group(const gid_t *groups, size_t n, gid_t group)
{
	for (size_t i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

/* Asks for the number of groups first, then for the groups. */
static enum err
peer_has_supplementary(int sock, gid_t group, bool *out)
{
	socklen_t size = 0;
	gid_t *groups;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0) {
		*out = false;
		return OK;
	}
	if (errno != ERANGE || size > PEER_GROUPS_MAX * sizeof(*groups))
		return ERR_IO;
	groups = malloc(size);
	if (groups == NULL)
		return ERR_NOMEM;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
		free(groups);
		return ERR_IO;
	}
	*out = has_group(groups, size / sizeof(*groups), group);
	free(groups);
	return OK;
}

/* The primary group need not be among those that SO_PEERGROUPS tells. */
enum err
creds_peer_in_group(int sock, gid_t group, bool *out)
{
	struct creds_peer peer;
	enum err e = creds_peer(sock, &peer);

	if (e != OK)
		return e;
	if (peer.gid == group) {
		*out = true;
		return OK;
	}
	return peer_has_supplementary(sock, group, out);
}

/* Names the step, for the one line that the parent logs. */
static enum err
failed(struct why *why, const char *step)
{
	return why_set(why, ERR_IO, "%s: %s", step, strerror(errno));
}

/* What a program run later could get at most; it needs CAP_SETPCAP, which some
 * containers withhold from root: no_new_privs covers that case. */
static void
drop_bounding_set(void)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break;
	}
}

/* Groups before the user: afterwards there is no right left to change them. */
static enum err
set_ids(const struct creds_user *user, struct why *why)
{
	if (setgroups(0, NULL) < 0)
		return failed(why, "setgroups");
	if (setresgid(user->gid, user->gid, user->gid) < 0)
		return failed(why, "setresgid");
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		return failed(why, "setresuid");
	return OK;
}

/* Ambient ones need a call of their own, and old kernels don't know it. */
enum err
creds_drop_capabilities(struct why *why)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	memset(sets, 0, sizeof(sets));
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, sets) < 0)
		return failed(why, "capset");
	if (syscall(SYS_capget, &header, sets) < 0)
		return failed(why, "capget");
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		if ((sets[i].effective | sets[i].permitted |
		    sets[i].inheritable) != 0)
			return why_set(why, ERR_DENIED,
			    "capabilities are left");
	}
	return OK;
}

/* All is as it should be, and the way back is closed. */
static enum err
check_ids(const struct creds_user *user, struct why *why)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) < 0 ||
	    getresgid(&g[0], &g[1], &g[2]) < 0)
		return failed(why, "getresuid");
	for (int i = 0; i < 3; i++) {
		if (u[i] != user->uid || g[i] != user->gid)
			return why_set(why, ERR_DENIED, "an id was not taken");
	}
	if (getgroups(0, NULL) != 0)
		return why_set(why, ERR_DENIED, "groups are left");
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		return why_set(why, ERR_DENIED, "root could be got back");
	return OK;
}

/* The bounding set goes first, while there is the capability to drop it. */
enum err
creds_drop(const struct creds_user *user, struct why *why)
{
	enum err e;

	if (user->uid == 0 || user->gid == 0)
		return why_set(why, ERR_RANGE, "may not stay root");
	drop_bounding_set();
	e = set_ids(user, why);
	if (e == OK)
		e = creds_drop_capabilities(why);
	if (e == OK)
		e = check_ids(user, why);
	return e;
}
