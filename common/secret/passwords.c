/*
 * The file is read in one pass, into users that point into a copy of it.
 *
 * Who is no user is given the hash of one who is, picked by a keyed hash of
 * the name: whatever kinds of hashes are in the file, in whatever mixture,
 * strangers' names cost what users' do.
 */
#include "common/secret/passwords.h"

#include "common/base/text.h"
#include "common/base/utf8.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SHOWN 64		/* characters of a user's, in messages */

struct password_user {
	struct span name;
	struct span hash;		/* of crypt(3); n is 0: none */
	struct scram_secret scram;	/* iterations are 0: none */
};

struct reader {
	struct passwords *p;
	struct span file;		/* its name */
	struct buf *text;
	unsigned line;
	size_t room;			/* users that fit */
	enum err e;
};

static struct span
user_key(const void *object)
{
	return ((const struct password_user *)object)->name;
}

/* ---- words ---- */

static void
complain(struct reader *r, const char *what, struct span user)
{
	char shown[NAME_SHOWN];
	const size_t n = text_escape(user, NULL, shown, sizeof(shown));

	if (r->e == OK)
		r->e = ERR_SYNTAX;
	buf_addf(r->text, "%.*s:%u: %s", (int)r->file.n,
	    (const char *)r->file.p, r->line, what);
	if (user.n > 0)
		buf_addf(r->text, " (user %.*s)", (int)n, shown);
	buf_add_byte(r->text, '\n');
}

static const char *
words_of(enum crypt_verdict v)
{
	switch (v) {
	case CRYPT_WEAK:
		return "this kind of hash protects nothing; make another "
		    "with mtactl auth hash";
	case CRYPT_MALFORMED:
		return "the hash is cut or garbled";
	case CRYPT_COSTLY:
		return "the hash would take too long, or too much memory, to "
		    "check";
	default:
		return "what stands behind the user is no hash; make one with "
		    "mtactl auth hash";
	}
}

/* ---- lines ---- */

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return s.n > 0 && s.n <= PASSWORDS_USER_MAX && s.p[s.n - 1] != ' ' &&
	    utf8_is_valid(s);
}

static struct password_user *
find_or_add(struct reader *r, struct span name)
{
	struct passwords *p = r->p;
	struct password_user *user = map_span_get(&p->by_name, name);

	if (user != NULL)
		return user;
	if (p->n == r->room) {
		complain(r, "too many users", SPAN_NONE);
		r->e = ERR_RANGE;
		return NULL;
	}
	user = &p->users[p->n];
	*user = (struct password_user){ .name = name };
	if (map_span_add(&p->by_name, user) != OK) {
		r->e = ERR_NOMEM;
		return NULL;
	}
	p->n++;
	return user;
}

static void
take_scram(struct reader *r, struct span name, struct span secret)
{
	struct scram_secret scram = { .iterations = 0 };
	const enum err e = scram_read(secret, &scram);
	struct password_user *user;

	if (e != OK) {
		complain(r, e == ERR_RANGE ? "the SCRAM secret needs 4096 to "
		    "1000000 iterations and a salt of 8 to 64 octets" :
		    "the SCRAM secret is cut or garbled", name);
		return;
	}
	user = find_or_add(r, name);
	if (user != NULL && user->scram.iterations != 0) {
		complain(r, "a second SCRAM secret of the same user", name);
	} else if (user != NULL) {
		user->scram = scram;
		r->p->scram_count++;
	}
	explicit_bzero(&scram, sizeof(scram));
}

static void
take_crypt(struct reader *r, struct span name, struct span hash)
{
	const enum crypt_verdict v = crypt_hash_judge(hash);
	struct password_user *user;

	if (v != CRYPT_FITS) {
		complain(r, words_of(v), name);
		return;
	}
	user = find_or_add(r, name);
	if (user != NULL && user->hash.n > 0)
		complain(r, "a second hash of the same user", name);
	else if (user != NULL)
		user->hash = hash;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_from(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static void
take_line(struct reader *r, struct span line)
{
	const struct span scram = SPAN_LIT(SCRAM_NAME);
	const struct span s = trim(line);
	const size_t colon = span_find(s, ':');
	const struct span name = span_sub(s, 0, colon);
	const struct span hash = span_from(s, colon + 1);

	if (s.n == 0 || s.p[0] == '#')
		return;
	if (colon == s.n)
		complain(r, "a line is user:hash", SPAN_NONE);
	else if (!is_name(name))
		complain(r, "a user's name is 1 to 255 octets of UTF-8 "
		    "without control characters or a blank at its end", SPAN_NONE);
	else if (span_find(hash, ':') < hash.n)
		complain(r, "nothing may follow the hash", name);
	else if (span_equal(span_sub(hash, 0, scram.n), scram))
		take_scram(r, name, hash);
	else
		take_crypt(r, name, hash);
}

static size_t
count_lines(struct span file)
{
	size_t n = 1;

	for (size_t i = 0; i < file.n; i++)
		n += file.p[i] == '\n';
	return n;
}

/* Until the memory, or the number of users, is at its end: what is wrong with
 * the rest does not matter then. */
static void
read_lines(struct reader *r)
{
	struct span left = buf_span(&r->p->text);

	while (left.n > 0 && (r->e == OK || r->e == ERR_SYNTAX)) {
		const size_t n = span_find(left, '\n');

		r->line++;
		take_line(r, span_sub(left, 0, n));
		left = span_from(left, n + 1);
	}
}

/* ---- pretence ---- */

static int
compare_u32(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The value that is there most often. */
static uint32_t
commonest(uint32_t *v, size_t n)
{
	uint32_t best = 0;
	size_t best_count = 0, count = 0;

	qsort(v, n, sizeof(*v), compare_u32);
	for (size_t i = 0; i < n; i++) {
		count = i > 0 && v[i] == v[i - 1] ? count + 1 : 1;
		if (count > best_count) {
			best = v[i];
			best_count = count;
		}
	}
	return best;
}

/* The smallest ServerKey is a secret that stays the same over restarts and
 * most changes of the file, as the salts of users do. */
static enum err
prepare_pretence(struct passwords *p)
{
	const struct scram_secret *smallest = NULL;
	uint32_t *v = p->scram_count > 0 ? calloc(p->scram_count,
	    sizeof(*v)) : NULL;
	uint32_t best;
	size_t k = 0;

	if (v == NULL)
		return p->scram_count > 0 ? ERR_NOMEM : OK;
	for (size_t i = 0; i < p->n; i++) {
		const struct scram_secret *s = &p->users[i].scram;

		if (s->iterations == 0)
			continue;
		v[k++] = s->iterations << 8 | s->salt_bytes;
		if (smallest == NULL || memcmp(s->server_key,
		    smallest->server_key, SCRAM_KEY_BYTES) < 0)
			smallest = s;
	}
	best = commonest(v, k);
	free(v);
	p->iterations = best >> 8;
	p->salt_bytes = best & 0xff;
	return smallest != NULL && SHA256(smallest->server_key,
	    SCRAM_KEY_BYTES, p->pretence) != NULL ? OK : ERR_NOMEM;
}

/* A salt of up to 64 octets is two blocks. */
static bool
pretend(const struct passwords *p, struct span user, struct scram_secret *out)
{
	const struct span key = span_of(p->pretence, sizeof(p->pretence));

	out->iterations = p->iterations;
	out->salt_bytes = p->salt_bytes;
	return scram_hmac(key, user, out->salt) &&
	    scram_hmac(key, span_of(out->salt, SCRAM_KEY_BYTES),
	    out->salt + SCRAM_KEY_BYTES) &&
	    scram_hmac(key, span_of(out->salt, SCRAM_SALT_MAX),
	    out->stored_key) &&
	    scram_hmac(key, span_of(out->stored_key, SCRAM_KEY_BYTES),
	    out->server_key);
}

/* ---- the calls ---- */

static enum err
prepare(struct reader *r, struct span file)
{
	struct passwords *p = r->p;

	buf_init(&p->text, PASSWORDS_FILE_MAX);
	map_span_init(&p->by_name, &p->seed, user_key);
	if (file.n > PASSWORDS_FILE_MAX)
		return ERR_RANGE;
	r->room = count_lines(file);
	if (r->room > PASSWORDS_USERS_MAX)
		r->room = PASSWORDS_USERS_MAX;
	p->users = calloc(r->room, sizeof(*p->users));
	/* in one piece: what moves leaves a copy behind */
	if (p->users == NULL || buf_reserve(&p->text, file.n + 1) == NULL)
		return ERR_NOMEM;
	buf_add_span(&p->text, file);
	return OK;
}

enum err
passwords_load(struct span name, struct span file,
    const struct siphash_key *seed, struct passwords *out, struct buf *text)
{
	struct passwords p = { .n = 0, .seed = *seed };
	struct reader r = { .p = &p, .file = name, .text = text };

	r.e = prepare(&r, file);
	if (r.e == OK)
		read_lines(&r);
	if (r.e == OK)
		r.e = prepare_pretence(&p);
	if (r.e != OK)
		passwords_clear(&p);
	else
		*out = p;
	return r.e;
}

void
passwords_clear(struct passwords *p)
{
	if (p->users == NULL) {
		*p = (struct passwords){ .n = 0 };
		return;
	}
	map_span_clear(&p->by_name);
	explicit_bzero(p->users, p->n * sizeof(*p->users));
	free(p->users);
	if (p->text.p != NULL)
		explicit_bzero(p->text.p, p->text.size);
	buf_clear(&p->text);
	explicit_bzero(p, sizeof(*p));
}

void
passwords_check(const struct passwords *p, struct span user,
    struct password_check *out)
{
	const struct password_user *u = NULL;

	*out = (struct password_check){ .is_user = false };
	if (p->n == 0)
		return;
	u = map_span_get(&p->by_name, user);
	out->is_user = u != NULL;
	if (u == NULL)
		u = &p->users[siphash(&p->seed, user) % p->n];
	out->is_scram = u->hash.n == 0;
	out->scram = u->scram;
	out->hash_bytes = (uint8_t)u->hash.n;
	if (u->hash.n > 0)
		memcpy(out->hash, u->hash.p, u->hash.n);
}

bool
passwords_scram(const struct passwords *p, struct span user,
    struct password_check *out)
{
	const struct password_user *u;

	*out = (struct password_check){ .is_scram = true };
	if (p->scram_count == 0)
		return false;
	u = map_span_get(&p->by_name, user);
	out->is_user = u != NULL && u->scram.iterations != 0;
	/* made up for a user, too: it takes as long */
	if (!pretend(p, user, &out->scram))
		return false;
	if (out->is_user)
		out->scram = u->scram;
	return true;
}

bool
password_fits(struct crypt_work *w, const struct password_check *c,
    struct span password)
{
	const struct span hash = span_of(c->hash, c->hash_bytes);
	bool fits = false;

	if (c->is_scram)
		fits = scram_fits(&c->scram, password);
	else if (c->hash_bytes > 0)
		fits = crypt_hash_fits(w, hash, password);
	return fits && c->is_user;
}
