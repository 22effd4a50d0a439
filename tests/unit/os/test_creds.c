/* creds, sandbox: what cannot be undone is done in children */
#include "common/os/creds.h"
#include "common/os/fd.h"
#include "common/os/sandbox.h"
#include "tests/unit/os/os_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOMEBODY 12345

Test(creds, looks_up)
{
	struct creds_user user = { 77, 77 };
	gid_t group = 77;

	cr_expect_eq(creds_user("root", &user), OK);
	cr_expect(user.uid == 0 && user.gid == 0);
	user.uid = 77;
	cr_expect_eq(creds_user("0", &user), OK);
	cr_expect_eq(user.uid, 0);
	user.uid = 77;
	cr_expect_eq(creds_user("no-such-user", &user), ERR_NOT_FOUND);
	cr_expect_eq(creds_user("", &user), ERR_NOT_FOUND);
	cr_expect_eq(creds_user("4294967295", &user), ERR_NOT_FOUND);
	cr_expect_eq(user.uid, 77, "untouched");
	cr_expect_eq(creds_group("root", &group), OK);
	cr_expect_eq(group, 0);
	cr_expect_eq(creds_group("no-such-group", &group), ERR_NOT_FOUND);
}

Test(creds, peer)
{
	struct creds_peer peer;
	bool is_in = false;
	int ends[2], file;

	cr_assert_eq(fd_pair(ends), OK);
	cr_assert_eq(creds_peer(ends[0], &peer), OK);
	cr_expect_eq(peer.pid, getpid());
	cr_expect_eq(peer.uid, geteuid());
	cr_assert_eq(creds_peer_in_group(ends[0], getegid(), &is_in), OK);
	cr_expect(is_in);
	cr_assert_eq(creds_peer_in_group(ends[0], 54321, &is_in), OK);
	cr_expect_not(is_in);
	file = open("/dev/null", O_RDONLY);
	cr_expect_eq(creds_peer(file, &peer), ERR_IO);
}

static int
has_supplementary_groups(void *arg)
{
	gid_t groups[] = { 600, 601, 602 };
	bool is_in;
	int ends[2];

	(void)arg;
	if (setgroups(3, groups) < 0 || fd_pair(ends) != OK)
		return 1;
	if (creds_peer_in_group(ends[0], 602, &is_in) != OK || !is_in)
		return 2;
	if (creds_peer_in_group(ends[0], 603, &is_in) != OK || is_in)
		return 3;
	return 0;
}

Test(creds, peer_groups)
{
	if (geteuid() != 0)
		cr_skip("needs root");
	cr_expect_eq(os_in_child(has_supplementary_groups, NULL), 0);
}

/* Whether any capability is left in a set that counts. */
static bool
has_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	return syscall(SYS_capget, &h, d) < 0 ||
	    (d[0].effective | d[0].permitted | d[0].inheritable |
	    d[1].effective | d[1].permitted | d[1].inheritable) != 0;
}

static int
drop_to_somebody(void *arg)
{
	struct creds_user user = { SOMEBODY, SOMEBODY + 1 };
	gid_t groups[] = { 600, 601 };
	uid_t u[3];
	gid_t g[3];

	(void)arg;
	if (setgroups(2, groups) < 0 || creds_drop(&user, NULL) != OK)
		return 1;
	if (getresuid(&u[0], &u[1], &u[2]) < 0 ||
	    getresgid(&g[0], &g[1], &g[2]) < 0)
		return 2;
	for (int i = 0; i < 3; i++) {
		if (u[i] != SOMEBODY || g[i] != SOMEBODY + 1)
			return 3;
	}
	if (getgroups(0, NULL) != 0 || has_capabilities())
		return 4;
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0)
		return 5;
	return setuid(0) == 0 || open("/etc/shadow", O_RDONLY) >= 0 ? 6 : 0;
}

Test(creds, drop_is_for_good)
{
	if (geteuid() != 0)
		cr_skip("needs root");
	cr_expect_eq(os_in_child(drop_to_somebody, NULL), 0);
}

static int
drop_wrongly(void *arg)
{
	struct creds_user users[] = { { 0, SOMEBODY }, { SOMEBODY, 0 } };
	struct creds_user other = { SOMEBODY + 5, SOMEBODY + 5 };
	struct why why;

	(void)arg;
	if (creds_drop(&users[0], &why) != ERR_RANGE ||
	    creds_drop(&users[1], &why) != ERR_RANGE)
		return 1;
	if (geteuid() == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
		return 2;
	/* not root any more: it must fail, not seem to work */
	return creds_drop(&other, &why) == ERR_IO ? 0 : 3;
}

Test(creds, drop_that_cannot_be_is_told)
{
	cr_expect_eq(os_in_child(drop_wrongly, NULL), 0);
}

static int
enter_as_root(void *arg)
{
	struct sandbox s = {
		.is_root = true,
		.root = arg,
		.user = { SOMEBODY, SOMEBODY },
	};
	struct rlimit core;
	struct why why;
	char here[64];

	if (sandbox_enter(&s, &why) != OK)
		return 1;
	if (getcwd(here, sizeof(here)) == NULL || strcmp(here, "/") != 0)
		return 2;
	if (access("/etc", F_OK) == 0 || access("/..", F_OK) != 0)
		return 3;
	if (geteuid() != SOMEBODY || has_capabilities())
		return 4;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 5;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return 6;
	return open("/file", O_CREAT | O_WRONLY, 0600) >= 0 ? 7 : 0;
}

Test(sandbox, closes_in)
{
	const char *scratch = os_scratch_enter();
	char path[128];

	cr_assert_not_null(scratch);
	if (geteuid() != 0) {
		os_scratch_leave();
		cr_skip("needs root");
	}
	snprintf(path, sizeof(path), "%s/empty", scratch);
	cr_assert_eq(mkdir(path, 0755), 0);
	cr_expect_eq(os_in_child(enter_as_root, path), 0);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_expect_eq(os_in_child(enter_as_root, path), 1, "open to others");
	snprintf(path, sizeof(path), "%s/none", scratch);
	cr_expect_eq(os_in_child(enter_as_root, path), 1);
	os_scratch_leave();
}

static int
enter_as_anybody(void *arg)
{
	struct sandbox s = { .is_root = false };

	(void)arg;
	if (geteuid() == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
		return 1;
	if (sandbox_enter(&s, NULL) != OK || has_capabilities())
		return 2;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
}

Test(sandbox, does_what_can_be_done_without_root)
{
	cr_expect_eq(os_in_child(enter_as_anybody, NULL), 0);
}

Test(sandbox, checks_its_root)
{
	struct why why;

	cr_assert_not_null(os_scratch_enter());
	cr_assert_eq(mkdir("empty", 0755), 0);
	cr_expect_eq(sandbox_check_empty("empty", &why), OK);
	cr_assert_eq(mkdir("empty/x", 0755), 0);
	cr_expect_eq(sandbox_check_empty("empty", &why), ERR_DENIED);
	cr_expect_str_eq(why.text, "empty: must be empty");
	cr_expect_eq(sandbox_check_empty("none", &why), ERR_NOT_FOUND);
	os_scratch_leave();
}
