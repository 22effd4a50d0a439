#include "mtad/secrets_hops.h"

#include "common/conf/conf.h"
#include "common/ipc/messages.h"
#include "mtad/secrets_file.h"
#include "mtad/secrets_grants.h"

#include <string.h>

#define HOP_PASSWORD_MAX ((size_t)1024)	/* as in messages.def */

/* ---- passwords ---- */

static enum err
add_hop(struct secrets *s, const char *path, struct why *why)
{
	struct msg_hop_secret row = { .name = span_str(path) };
	struct buf file;
	enum err e = secrets_file_line(path, HOP_PASSWORD_MAX, &file,
	    &row.password, why);

	if (e == OK) {
		msg_put_hop_secret(&s->hops, &row);
		s->hop_count++;
		if (buf_failed(&s->hops))
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
	}
	secrets_file_wipe(&file);
	return e;
}

static bool
is_read_already(const struct conf *conf, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(conf->routes.v[k].auth_password_file,
		    conf->routes.v[i].auth_password_file) == 0)
			return true;
	return false;
}

/* At one time, so that no row moves and leaves its password behind. */
static enum err
read_passwords(struct secrets *s, const struct conf *conf, struct why *why)
{
	enum err e = OK;

	for (size_t i = 0; i < conf->routes.n && e == OK; i++) {
		const char *path = conf->routes.v[i].auth_password_file;

		if (path[0] == '\0' || is_read_already(conf, i))
			continue;
		if (s->hop_count == 0 &&
		    buf_reserve(&s->hops, SECRETS_HOPS_MAX) == NULL)
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
		if (e == OK)
			e = add_hop(s, path, why);
	}
	return e;
}

/* ---- certificates ---- */

static enum err
add_pair(struct secrets *s, const struct conf_route *route, struct why *why)
{
	struct msg_tls_pair row = { .name = span_str(route->tls_certificate) };
	struct buf chain, key;
	enum err e;

	buf_init(&chain, SECRETS_CHAIN_MAX);
	buf_init(&key, SECRETS_KEY_MAX);
	e = secrets_file_read(route->tls_certificate, SECRETS_CHAIN_MAX,
	    false, &chain, why);
	if (e == OK)
		e = secrets_file_read(route->tls_key, SECRETS_KEY_MAX, true,
		    &key, why);
	if (e == OK) {
		row.chain = buf_span(&chain);
		row.key = buf_span(&key);
		msg_put_tls_pair(&s->hop_pairs, &row);
		s->hop_pair_count++;
		if (buf_failed(&s->hop_pairs))
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
	}
	buf_clear(&chain);
	secrets_file_wipe(&key);
	return e;
}

/* The same pair of files; a certificate with two keys is looked at as two, of
 * which one is found wrong. */
static bool
is_added(const struct conf *conf, size_t i)
{
	const struct conf_route *a = &conf->routes.v[i];

	for (size_t k = 0; k < i; k++) {
		const struct conf_route *b = &conf->routes.v[k];

		if (strcmp(a->tls_certificate, b->tls_certificate) == 0 &&
		    strcmp(a->tls_key, b->tls_key) == 0)
			return true;
	}
	return false;
}

static enum err
read_pairs(struct secrets *s, const struct conf *conf, struct why *why)
{
	enum err e = OK;

	for (size_t i = 0; i < conf->routes.n && e == OK; i++) {
		const struct conf_route *route = &conf->routes.v[i];

		if (route->tls_certificate[0] == '\0' || is_added(conf, i))
			continue;
		if (s->hop_pair_count == SECRETS_HOP_PAIRS)
			return why_set(why, ERR_RANGE,
			    "routes[].tls_certificate: more than %d",
			    SECRETS_HOP_PAIRS);
		/* rows that move leave their key behind */
		if (s->hop_pair_count == 0 &&
		    buf_reserve(&s->hop_pairs, SECRETS_HOP_PAIRS_MAX) == NULL)
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
		if (e == OK)
			e = add_pair(s, route, why);
	}
	return e;
}

enum err
secrets_hops_read(struct secrets *s, const struct conf *conf, struct why *why)
{
	enum err e = read_passwords(s, conf, why);

	if (e == OK)
		e = read_pairs(s, conf, why);
	return e == OK ? secrets_grants_read(s, conf, why) : e;
}
