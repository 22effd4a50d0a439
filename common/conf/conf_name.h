/*
 * Names as they stand in the configuration: hosts, domains, mailboxes, and the
 * patterns of `routes` and `relay.domains`.
 *
 * Checks of an administrator's writing, not of mail: strict letters, digits
 * and hyphens (RFC 1123 section 2.1), underscores where DNS has them.
 */
#ifndef MTAD_CONF_CONF_NAME_H
#define MTAD_CONF_CONF_NAME_H

#include "common/base/span.h"

#define CONF_NAME_DOMAIN_MAX 253	/* bytes; RFC 1035 without its dot */
#define CONF_NAME_LOCAL_MAX 64		/* RFC 5321 section 4.5.3.1.1 */

/* Letters, digits, hyphens; labels of 1..63 bytes.  HOSTS have no `_`. */
bool conf_name_is_host(struct span name);
bool conf_name_is_domain(struct span name);

/* local@domain, or with IS_BARE also a local part alone. */
bool conf_name_is_mailbox(struct span mailbox, bool is_bare);

enum conf_pattern_kind {
	CONF_PATTERN_NONE,	/* not a pattern */
	CONF_PATTERN_ANY,	/* *                 */
	CONF_PATTERN_NULL,	/* <>                */
	CONF_PATTERN_DOMAIN,	/* d  *@d            */
	CONF_PATTERN_BELOW,	/* .d  *.d  *@.d     */
	CONF_PATTERN_ADDRESS,	/* local@d           */
};

struct conf_pattern {
	enum conf_pattern_kind kind;
	struct span local;	/* of ADDRESS */
	struct span domain;	/* of DOMAIN, BELOW (without dot), ADDRESS */
};

/* Takes TEXT apart; the spans borrow from it. */
struct conf_pattern conf_name_pattern(struct span text);

#endif
