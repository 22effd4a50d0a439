/*
 * Where the control socket of the relay is that a configuration describes.
 *
 * A file with errors does not stop a relay that runs, and must not lock its
 * operator out either: then the key `runtime` is read as it stands.
 */
#ifndef MTAD_MTACTL_FIND_H
#define MTAD_MTACTL_FIND_H

#include "common/base/buf.h"

/* Appends the path, with its NUL.  MTACTL_DONE, or the exit code when the file
 * can't be read, after saying so. */
int find_socket(const char *config, struct buf *path);

/* The value of the key `runtime` in a YAML text that need not be right: of the
 * last line that begins with it.  Empty: there is none. */
struct span find_runtime(struct span yaml);

#endif
