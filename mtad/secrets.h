/*
 * What only keyd may know: private keys with their certificates, users'
 * passwords, and ours and what brings tokens at next hops; and beside them the authorities that
 * deliverd believes about next hops, and smtpd about its clients.
 *
 * The parent reads the files, as nobody else can open them, understands no
 * byte of them, and keeps them in the form in which keyd is told, so that a
 * keyd that is started again gets what was in force, whatever became of the
 * files meanwhile.
 */
#ifndef MTAD_MTAD_SECRETS_H
#define MTAD_MTAD_SECRETS_H

#include "common/base/buf.h"
#include "common/base/err.h"

#define SECRETS_CHECK_MS 10000

struct conf;
struct msg;

struct secrets {
	struct buf pairs;		/* rows of `tls_pairs` */
	uint32_t pair_count;
	struct buf passwords;		/* the file's bytes */
	bool has_passwords;
	struct buf hops;		/* rows of `hop_secrets` */
	uint32_t hop_count;
	struct buf hop_pairs;		/* rows of `hop_pairs` */
	uint32_t hop_pair_count;
	struct buf grants;		/* rows of `hop_grants` */
	uint32_t grant_count;
	struct buf srs;			/* the file's bytes */
	struct buf authorities;		/* PEM, no secret; for `verified` */
	struct buf client_ca;		/* PEM, no secret; of auth.client_ca */
};

/* Reads the files that CONF names.  ERR_DENIED (a secret is open to others),
 * ERR_NOT_FOUND, ERR_RANGE (too large), ERR_IO, ERR_NOMEM, with the file's
 * name in WHY; OUT needs no secrets_clear() then. */
enum err secrets_read(const struct conf *conf, struct secrets *out,
    struct why *why);

/*
 * Has PROGRAM, keyd's, look at them (`keyd --check`) and appends what it says,
 * remarks and errors, one a line; CONF knows the files' names.  Waits for it,
 * SECRETS_CHECK_MS at most.
 * ERR_DENIED: something is wrong with them; ERR_IO: it could not be asked.
 */
enum err secrets_check(const struct secrets *s, const struct conf *conf,
    int program, struct buf *text);

/* The messages that keyd gets; borrowed from S and CONF. */
void secrets_pairs(const struct secrets *s, struct msg *out);
void secrets_passwords(const struct secrets *s, const struct conf *conf,
    struct msg *out);
void secrets_hops(const struct secrets *s, struct msg *out);
void secrets_hop_pairs(const struct secrets *s, struct msg *out);
void secrets_grants(const struct secrets *s, struct msg *out);
void secrets_srs(const struct secrets *s, const struct conf *conf,
    struct msg *out);

/* ... and smtpd. */
void secrets_client_ca(const struct secrets *s, const struct conf *conf,
    struct msg *out);

/* Overwrites and frees; S may be all zero. */
void secrets_clear(struct secrets *s);

#endif
