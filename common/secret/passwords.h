/*
 * The file of users: a line `user:hash` each, `#` begins a comment.
 *
 * A hash is one of crypt(3) (crypt_hash.h) or a SCRAM secret (scram.h); a user
 * may have a line of each.  Names are compared octet by octet.
 *
 * Nobody can tell by time or form whether a user exists: for one who does not,
 * there is a check that costs what another user's does, and a salt that stays
 * the same while the file does.
 */
#ifndef MTAD_SECRET_PASSWORDS_H
#define MTAD_SECRET_PASSWORDS_H

#include "common/base/map.h"
#include "common/secret/crypt_hash.h"
#include "common/secret/scram.h"

#define PASSWORDS_USERS_MAX	100000u
#define PASSWORDS_USER_MAX	255u	/* octets of a name */
#define PASSWORDS_FILE_MAX	((size_t)16 * 1024 * 1024)

struct password_user;

struct passwords {
	struct buf text;		/* users' names and hashes are in it */
	struct password_user *users;
	size_t n;
	struct map_span by_name;
	struct siphash_key seed;
	size_t scram_count;		/* users who have such a secret */
	uint32_t iterations;		/* the commonest, and its salt */
	uint8_t salt_bytes;
	uint8_t pretence[SCRAM_KEY_BYTES]; /* from which salts are made up */
};

/* What is needed to look at one password, or at one proof: a copy, so that it
 * outlives the file.  Wipe it. */
struct password_check {
	bool is_user;			/* else it never fits */
	bool is_scram;
	uint8_t hash_bytes;
	uint8_t hash[CRYPT_HASH_MAX];
	struct scram_secret scram;
};

/*
 * FILE's bytes are copied.  What is wrong is told in TEXT, a line each, all of
 * it, with NAME and the number of the line; never a hash.  SEED should be
 * random.  ERR_SYNTAX (words in TEXT), ERR_RANGE (too many), ERR_NOMEM; OUT is
 * untouched then.
 */
enum err passwords_load(struct span name, struct span file,
    const struct siphash_key *seed, struct passwords *out, struct buf *text);

/* Overwrites and frees; P may be all zero. */
void passwords_clear(struct passwords *p);

/* How to check a password of USER; the hash of crypt(3) is preferred, as it
 * is harder to guess at. */
void passwords_check(const struct passwords *p, struct span user,
    struct password_check *out);

/* The SCRAM secret of USER, or what looks like one.  False: there is no memory,
 * or no user has one. */
bool passwords_scram(const struct passwords *p, struct span user,
    struct password_check *out);

/* Whether PASSWORD fits C; takes its time. */
bool password_fits(struct crypt_work *w, const struct password_check *c,
    struct span password);

#endif
