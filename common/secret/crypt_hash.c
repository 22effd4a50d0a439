/*
 * libxcrypt does it; what is added is a judgement of a hash without hashing,
 * so that a file with thousands of them is read at once.
 */
#include "common/secret/crypt_hash.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/units.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX	5000000u	/* of SHA: some seconds */
#define BCRYPT_COST_MAX	15u
#define BCRYPT_BYTES	60u

struct crypt_work {
	struct crypt_data data;
};

struct kind {
	const char *prefix;
	size_t digest;			/* characters behind the last $ */
	bool is_bcrypt;
};

static const struct kind kinds[] = {
	{ "$y$", 43, false },
	{ "$6$", 86, false },
	{ "$5$", 43, false },
	{ "$2b$", 0, true },
	{ "$2y$", 0, true },
	{ "$2a$", 0, true },
};

static bool
starts(struct span s, const char *prefix)
{
	const struct span p = span_str(prefix);

	return span_equal(span_sub(s, 0, p.n), p);
}

static bool
is_crypt_byte(uint8_t c)
{
	return text_is_alpha(c) || text_is_digit(c) || c == '.' || c == '/';
}

static bool
is_all_crypt(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_crypt_byte(s.p[i]))
			return false;
	}
	return true;
}

/* Up to the next $, which goes too. */
static struct span
take_field(struct span *left)
{
	const size_t n = span_find(*left, '$');
	const struct span field = span_sub(*left, 0, n);

	*left = span_from(*left, n + 1);
	return field;
}

/* $2b$NN$ and 53 characters: salt and digest. */
static enum crypt_verdict
judge_bcrypt(struct span hash)
{
	uint64_t cost;

	if (hash.n != BCRYPT_BYTES || hash.p[6] != '$' ||
	    !is_all_crypt(span_from(hash, 7)) ||
	    units_parse_u64(span_sub(hash, 4, 2), &cost) != OK || cost < 4)
		return CRYPT_MALFORMED;
	return cost > BCRYPT_COST_MAX ? CRYPT_COSTLY : CRYPT_FITS;
}

/* yescrypt's parameters are j, the memory (C: 128 MiB) and the block's size (T:
 * 4 KiB), each as a digit of ./0-9A-Za-z; more of them only make it dearer. */
static bool
is_dear(struct span parameters)
{
	return parameters.n != 3 || parameters.p[0] != 'j' ||
	    parameters.p[1] > 'C' || parameters.p[2] > 'T';
}

/* $6$[rounds=N$]salt$digest, $y$parameters$salt$digest */
static enum crypt_verdict
judge_fields(const struct kind *kind, struct span hash)
{
	const struct span rounds = SPAN_LIT("rounds=");
	struct span left = span_from(hash, strlen(kind->prefix));
	struct span first = take_field(&left), salt = first;
	const bool is_yescrypt = kind->prefix[1] == 'y';
	bool has_parameters = is_yescrypt;
	uint64_t n = 0;

	if (!has_parameters && starts(first, "rounds=")) {
		has_parameters = true;
		if (units_parse_u64(span_from(first, rounds.n), &n) != OK)
			return CRYPT_MALFORMED;
	} else if (is_yescrypt && !is_all_crypt(first)) {
		return CRYPT_MALFORMED;
	}
	if (has_parameters)
		salt = take_field(&left);
	if (salt.n == 0 || !is_all_crypt(salt) || left.n != kind->digest ||
	    !is_all_crypt(left))
		return CRYPT_MALFORMED;
	return n > ROUNDS_MAX || (is_yescrypt && is_dear(first)) ?
	    CRYPT_COSTLY : CRYPT_FITS;
}

/* DES has no mark: 13 characters, or 20 behind an underscore. */
static bool
is_weak(struct span hash)
{
	static const char *const prefixes[] = {
		"$1$", "$md5", "$sha1$", "$3$", "{MD5", "{SHA", "{SSHA",
		"{PLAIN", "{CLEAR", "{CRAM", "{DIGEST",
	};

	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		if (starts(hash, prefixes[i]))
			return true;
	}
	return (hash.n == 13 && is_all_crypt(hash)) ||
	    (hash.n == 20 && hash.p[0] == '_' &&
	    is_all_crypt(span_from(hash, 1)));
}

/* The library has the last word: its own rules of parameters, and what was
 * switched off when it was built.  What it finds old it still checks. */
static enum crypt_verdict
ask_library(struct span hash)
{
	char text[CRYPT_HASH_MAX + 1];

	(void)span_copy(hash, text, sizeof(text));
	switch (crypt_checksalt(text)) {
	case CRYPT_SALT_INVALID:
	case CRYPT_SALT_METHOD_DISABLED:
		return CRYPT_MALFORMED;
	default:
		return CRYPT_FITS;
	}
}

enum crypt_verdict
crypt_hash_judge(struct span hash)
{
	enum crypt_verdict v;

	if (is_weak(hash))
		return CRYPT_WEAK;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (!starts(hash, kinds[i].prefix))
			continue;
		if (hash.n > CRYPT_HASH_MAX)
			return CRYPT_MALFORMED;
		v = kinds[i].is_bcrypt ? judge_bcrypt(hash) :
		    judge_fields(&kinds[i], hash);
		return v == CRYPT_FITS ? ask_library(hash) : v;
	}
	return CRYPT_UNKNOWN;
}

struct crypt_work *
crypt_work_new(void)
{
	return calloc(1, sizeof(struct crypt_work));
}

void
crypt_work_free(struct crypt_work **w)
{
	if (*w != NULL)
		explicit_bzero(*w, sizeof(**w));
	free(*w);
	*w = NULL;
}

bool
crypt_hash_fits(struct crypt_work *w, struct span hash, struct span password)
{
	char setting[CRYPT_HASH_MAX + 1], phrase[CRYPT_PASSWORD_MAX + 1];
	bool is_whole = span_copy(password, phrase, sizeof(phrase));
	const char *made;
	bool fits;

	is_whole = span_copy(hash, setting, sizeof(setting)) && is_whole;
	made = crypt_rn(phrase, setting, &w->data, (int)sizeof(w->data));
	fits = made != NULL && strlen(made) == hash.n &&
	    CRYPTO_memcmp(made, hash.p, hash.n) == 0 && is_whole;
	explicit_bzero(phrase, sizeof(phrase));
	explicit_bzero(&w->data, sizeof(w->data));
	return fits;
}

/* Each salt comes from the kernel; the cost is the library's for today. */
enum err
crypt_hash_make(struct crypt_work *w, const char *prefix,
    struct span password, char out[CRYPT_HASH_MAX + 1])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	char phrase[CRYPT_PASSWORD_MAX + 1];
	const char *made = NULL;
	enum err e = ERR_IO;

	if (!span_copy(password, phrase, sizeof(phrase)))
		e = ERR_RANGE;
	else if (crypt_gensalt_rn(prefix, 0, NULL, 0, setting,
	    (int)sizeof(setting)) != NULL)
		made = crypt_rn(phrase, setting, &w->data,
		    (int)sizeof(w->data));
	if (made != NULL && span_copy(span_str(made), out,
	    CRYPT_HASH_MAX + 1))
		e = OK;
	explicit_bzero(phrase, sizeof(phrase));
	explicit_bzero(&w->data, sizeof(w->data));
	return e;
}
