/*
 * Which limits count for who hands mail in: the rows of `quotas`, and for users
 * limits.user_messages_rate and limits.user_recipients_rate.
 *
 * Of each kind (whose mail is counted together) the first row that matches
 * counts, and no other.  A user whom no row matches, and who comes from outside
 * of relay.networks, has those of `limits`.  Borrows the struct conf.
 */
#ifndef MTAD_CONF_CONF_QUOTA_H
#define MTAD_CONF_CONF_QUOTA_H

#include "common/conf/conf_match.h"

#define CONF_EACH_COUNT		3
#define CONF_QUOTA_NAME_MAX	255	/* octets of who is counted */
#define CONF_QUOTA_OF_LIMITS	0u	/* the id of limits.user_* */

struct conf_quotas_table;

/* ERR_NOMEM. */
enum err conf_quotas_new(const struct conf *conf,
    struct conf_quotas_table **out);
void conf_quotas_free(struct conf_quotas_table **t);

/* Who hands mail in: USER is empty when nobody authenticated, CLIENT of no
 * family when it is a local socket. */
struct conf_quota_who {
	struct span user;
	struct ipaddr client;
};

/* What counts for them, of one kind. */
struct conf_quota_limit {
	enum conf_each each;
	uint32_t id;			/* of the row, the same as long as it
					 * is, wherever it stands */
	struct conf_rate messages, recipients;	/* count 0: no limit */
	uint8_t name_n;			/* who is counted: the user, the client
					 * (an IPv6 /64), or the networks */
	char name[CONF_QUOTA_NAME_MAX];
};

/* False: there is no limit of kind EACH for WHO. */
bool conf_quotas_find(const struct conf_quotas_table *t, enum conf_each each,
    const struct conf_quota_who *who, struct conf_quota_limit *out);

/* "user", "client", "network"; a number that is none: "?". */
const char *conf_each_name(unsigned each);

#endif
