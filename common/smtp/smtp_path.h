/*
 * The path in `MAIL FROM:<a@b>` and `RCPT TO:<c@d>`, RFC 5321 4.1.1.2-3.
 *
 * Source routes are recognised and ignored (4.1.1.3).  A blank behind the
 * colon is refused, as the RFC says, unless SMTP_PATH_LENIENT.
 */
#ifndef MTAD_SMTP_SMTP_PATH_H
#define MTAD_SMTP_SMTP_PATH_H

#include "common/mail/address.h"

#define SMTP_PATH_MAX 256	/* octets with <>, RFC 5321 4.5.3.1.3 */

enum smtp_path_flag {
	SMTP_PATH_UNDERSCORE = 1,	/* `_` in domains */
	SMTP_PATH_UTF8 = 2,		/* RFC 6531 */
	SMTP_PATH_BARE = 4,		/* <user>: the caller qualifies it */
	SMTP_PATH_LONG_LOCAL = 16,	/* a local part of any length */
	SMTP_PATH_LENIENT = 8,		/* blanks behind the colon */
};

/* What is wrong with a path; 0 when nothing is. */
enum smtp_path_fault {
	SMTP_PATH_OK,
	SMTP_PATH_KEYWORD,	/* no FROM: or TO: */
	SMTP_PATH_BLANK,	/* a blank behind the colon */
	SMTP_PATH_BRACKETS,	/* not <…>, or something sticks to it */
	SMTP_PATH_ADDRESS,	/* no valid mailbox */
	SMTP_PATH_ROUTE,	/* a malformed source route */
	SMTP_PATH_LONG,		/* some part, or all of it, is too long */
	SMTP_PATH_8BIT,		/* octets above 127 without SMTPUTF8 */
	SMTP_PATH_FAULT_COUNT
};

struct smtp_path {
	struct address address;	/* all empty when is_null */
	bool is_null;		/* <> */
	bool is_postmaster;	/* <Postmaster>, without a domain */
	bool has_route;
	struct span params;	/* what follows, without blanks around it */
};

/* ARGUMENT is all behind the verb.  OUT is untouched on a fault. */
enum smtp_path_fault smtp_path_from(struct span argument, unsigned flags,
    struct smtp_path *out);
enum smtp_path_fault smtp_path_to(struct span argument, unsigned flags,
    struct smtp_path *out);

/* A sentence for the reply, such as "no blank is allowed after the colon". */
const char *smtp_path_text(enum smtp_path_fault fault);

/*
 * `HELO name`: is it a domain or an address literal?  Mail isn't refused for
 * a name that is neither, but 4.1.1.1 lets us know.
 */
bool smtp_path_is_hello_name(struct span name);

#endif
