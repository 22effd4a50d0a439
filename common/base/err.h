/*
 * The failures that library rooms return: negative numbers, 0 is success.
 *
 * Rooms below a daemon return these and never log; the daemon decides and
 * logs once.  Text for people travels in struct why where a person reads it.
 */
#ifndef MTAD_BASE_ERR_H
#define MTAD_BASE_ERR_H

enum err {
	OK = 0,
	ERR_NOMEM = -1,		/* no memory, or a ceiling reached */
	ERR_SYNTAX = -2,	/* input breaks its grammar */
	ERR_RANGE = -3,		/* a number or length out of its limits */
	ERR_FULL = -4,		/* no room: queue, table, disk */
	ERR_NOT_FOUND = -5,
	ERR_EXISTS = -6,
	ERR_IO = -7,		/* a system call failed; errno says how */
	ERR_CORRUPT = -8,	/* a checksum or invariant of stored data */
	ERR_PEER = -9,		/* a peer broke the protocol, or is gone */
	ERR_AGAIN = -10,	/* not now; try when something has changed */
	ERR_DENIED = -11,
	ERR_VERSION = -12,	/* made by another version */
};

/* One sentence for a person; always NUL-terminated, cut when too long. */
struct why {
	char text[256];
};

/* Static name of an error ("no memory"); "unknown error" for others. */
const char *err_text(enum err e);

/* Formats into WHY, which may be NULL; returns E, so that callers can say
 * `return why_set(why, ERR_SYNTAX, "…", …)`. */
enum err why_set(struct why *why, enum err e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
