/*
 * What a child gives up before it reads its first foreign byte.
 *
 * Steps in order: empty root, user, capabilities, no core files, no gaining of
 * privileges, no reading of its memory by others.  System call and file
 * filters belong behind these, in sandbox_enter() too.
 */
#ifndef MTAD_OS_SANDBOX_H
#define MTAD_OS_SANDBOX_H

#include "common/os/creds.h"

struct sandbox {
	bool is_root;			/* started as root: root and user below
					 * are taken on, else left alone */
	const char *root;		/* directory to be closed into */
	struct creds_user user;
};

/* Any failure: the process must end without serving. */
enum err sandbox_enter(const struct sandbox *sandbox, struct why *why);

/* Whether DIR may be the root of processes that open no file: of root or of
 * our effective user, not writable by others, empty.  ERR_DENIED, ERR_IO. */
enum err sandbox_check_empty(const char *dir, struct why *why);

#endif
