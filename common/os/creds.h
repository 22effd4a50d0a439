/*
 * Users, groups and capabilities: look up, ask of a peer, and drop for good.
 */
#ifndef MTAD_OS_CREDS_H
#define MTAD_OS_CREDS_H

#include "common/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct creds_user {
	uid_t uid;
	gid_t gid;		/* primary group */
};

struct creds_peer {
	pid_t pid;		/* for the log; may be gone already */
	uid_t uid;
	gid_t gid;
};

/* By name or decimal number.  ERR_NOT_FOUND, ERR_IO, ERR_NOMEM. */
enum err creds_user(const char *name, struct creds_user *out);
enum err creds_group(const char *name, gid_t *out);

/* Who connected the Unix socket. */
enum err creds_peer(int sock, struct creds_peer *out);

/* Whether the peer was in GROUP then: primary or supplementary. */
enum err creds_peer_in_group(int sock, gid_t group, bool *out);

/*
 * Becomes USER for good: no supplementary groups, all user and group ids, no
 * capability in any set; then checks that nothing can be got back.  Needs
 * root; USER is not root.  Any failure: the process must end.  ERR_DENIED,
 * ERR_IO, ERR_RANGE (uid or gid 0).
 */
enum err creds_drop(const struct creds_user *user, struct why *why);

/* Gives up whatever capabilities an ordinary user's process may have. */
enum err creds_drop_capabilities(struct why *why);

#endif
