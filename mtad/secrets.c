/*
 * Files of secrets, read by root.
 */
#include "mtad/secrets.h"

#include "common/base/check.h"
#include "common/conf/conf.h"
#include "common/ipc/messages.h"
#include "mtad/secrets_file.h"
#include "mtad/secrets_grants.h"
#include "mtad/secrets_hops.h"

#define AUTHORITIES_MAX	((size_t)2 * 1024 * 1024) /* as in messages.def */
#define CLIENT_CA_MAX	((size_t)256 * 1024)
#define STAPLE_MAX	((size_t)16 * 1024)
#define PAIRS_MAX	((size_t)1024 * 1024)
#define PASSWORDS_MAX	((size_t)16 * 1024 * 1024)
#define SRS_MAX		((size_t)8192)	/* as in messages.def */
#define SRS_LINES_MAX	8		/* as in keyd/srs_keys.h */
#define SRS_LINE_MIN	16

void
secrets_clear(struct secrets *s)
{
	buf_clear(&s->authorities);
	buf_clear(&s->client_ca);
	secrets_file_wipe(&s->pairs);
	s->pair_count = 0;
	secrets_file_wipe(&s->passwords);
	s->has_passwords = false;
	secrets_file_wipe(&s->hops);
	secrets_file_wipe(&s->srs);
	s->hop_count = 0;
	secrets_file_wipe(&s->hop_pairs);
	s->hop_pair_count = 0;
	secrets_file_wipe(&s->grants);
	s->grant_count = 0;
}

/* One certificate with what belongs to it. */
static enum err
read_pair(const struct conf *conf, size_t i, struct buf parts[3],
    struct why *why)
{
	enum err e = secrets_file_read(conf->tls.certificate.v[i],
	    SECRETS_CHAIN_MAX, false, &parts[0], why);

	if (e == OK)
		e = secrets_file_read(conf->tls.key.v[i], SECRETS_KEY_MAX,
		    true, &parts[1], why);
	if (e == OK && conf->tls.ocsp.n > i)
		e = secrets_file_read(conf->tls.ocsp.v[i], STAPLE_MAX,
		    false, &parts[2], why);
	return e;
}

static enum err
add_pair(struct secrets *s, const struct conf *conf, size_t i,
    struct why *why)
{
	struct buf parts[3];
	enum err e;

	buf_init(&parts[0], SECRETS_CHAIN_MAX);
	buf_init(&parts[1], SECRETS_KEY_MAX);
	buf_init(&parts[2], STAPLE_MAX);
	e = read_pair(conf, i, parts, why);
	if (e == OK) {
		const struct msg_tls_pair row = {
			.name = span_str(conf->tls.certificate.v[i]),
			.chain = buf_span(&parts[0]),
			.key = buf_span(&parts[1]),
			.staple = buf_span(&parts[2]),
		};

		msg_put_tls_pair(&s->pairs, &row);
		s->pair_count++;
		if (buf_failed(&s->pairs))
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
	}
	for (size_t k = 0; k < 3; k++)
		secrets_file_wipe(&parts[k]);
	return e;
}

/* A route with a password verifies its hosts unless it says otherwise; a token
 * endpoint is always verified. */
static bool
has_verified(const struct conf *conf)
{
	for (size_t i = 0; i < conf->routes.n; i++) {
		const struct conf_route *route = &conf->routes.v[i];

		if (route->tls == CONF_ROUTE_TLS_VERIFIED ||
		    route->auth_token_url[0] != '\0' ||
		    (route->auth_password_file[0] != '\0' &&
		    route->tls != CONF_ROUTE_TLS_NONE &&
		    route->tls != CONF_ROUTE_TLS_REQUIRED))
			return true;
	}
	return false;
}

/* Also where no route asks for them: a message may (REQUIRETLS). */
static enum err
read_authorities(const struct conf *conf, struct buf *out, struct why *why)
{
	static const char *const usual[] = {
		"/etc/ssl/certs/ca-certificates.crt",	/* Debian */
		"/etc/pki/tls/certs/ca-bundle.crt",	/* Fedora */
	};

	if (conf->tls.authorities[0] != '\0')
		return secrets_file_read(conf->tls.authorities,
		    AUTHORITIES_MAX, false, out, why);
	for (size_t i = 0; i < COUNT_OF(usual); i++) {
		if (secrets_file_read(usual[i], AUTHORITIES_MAX, false, out,
		    NULL) == OK)
			return OK;
	}
	if (!has_verified(conf))
		return OK;
	return why_set(why, ERR_NOT_FOUND, "routes[].tls: verified, and "
	    "routes[].auth, need authorities: name a bundle in tls.authorities, or install "
	    "ca-certificates");
}

static enum err
read_passwords(struct secrets *s, const struct conf *conf, struct why *why)
{
	if (conf->auth.passwords[0] == '\0')
		return OK;
	s->has_passwords = true;
	return secrets_file_read(conf->auth.passwords, PASSWORDS_MAX, true,
	    &s->passwords, why);
}

/* A secret a line: short ones could be guessed from an address. */
static enum err
read_srs(struct secrets *s, const struct conf *conf, struct why *why)
{
	const char *path = conf->srs.secret_file;
	struct span rest;
	unsigned n = 0;
	enum err e;

	if (path[0] == '\0')
		return OK;
	if ((e = secrets_file_read(path, SRS_MAX, true, &s->srs, why)) != OK)
		return e;
	for (rest = buf_span(&s->srs); rest.n > 0; n++) {
		const size_t length = span_find(rest, '\n');

		if (length < SRS_LINE_MIN)
			return why_set(why, ERR_RANGE, "%s: line %u is "
			    "shorter than %d bytes", path, n + 1,
			    SRS_LINE_MIN);
		rest = span_from(rest, length + 1);
	}
	if (n == 0 || n > SRS_LINES_MAX)
		return why_set(why, ERR_RANGE, "%s: expected 1 to %d lines, "
		    "each a secret", path, SRS_LINES_MAX);
	return OK;
}

enum err
secrets_read(const struct conf *conf, struct secrets *out, struct why *why)
{
	struct secrets s = { .pair_count = 0 };
	enum err e = OK;

	buf_init(&s.pairs, PAIRS_MAX);
	buf_init(&s.passwords, PASSWORDS_MAX);
	buf_init(&s.authorities, AUTHORITIES_MAX);
	buf_init(&s.hops, SECRETS_HOPS_MAX);
	buf_init(&s.hop_pairs, SECRETS_HOP_PAIRS_MAX);
	buf_init(&s.grants, SECRETS_GRANTS_MAX);
	buf_init(&s.srs, SRS_MAX);
	buf_init(&s.client_ca, CLIENT_CA_MAX);
	/* rows that move to larger memory leave their key behind in the old */
	if (conf->tls.certificate.n > 0 &&
	    buf_reserve(&s.pairs, PAIRS_MAX) == NULL)
		e = why_set(why, ERR_NOMEM, "no memory for secrets");
	for (size_t i = 0; i < conf->tls.certificate.n && e == OK; i++)
		e = add_pair(&s, conf, i, why);
	if (e == OK)
		e = read_passwords(&s, conf, why);
	if (e == OK)
		e = secrets_hops_read(&s, conf, why);
	if (e == OK)
		e = read_srs(&s, conf, why);
	if (e == OK)
		e = read_authorities(conf, &s.authorities, why);
	if (e == OK && conf->auth.client_ca[0] != '\0')
		e = secrets_file_read(conf->auth.client_ca, CLIENT_CA_MAX, false,
		    &s.client_ca, why);
	if (e == OK)
		*out = s;
	else
		secrets_clear(&s);
	return e;
}

void
secrets_pairs(const struct secrets *s, struct msg *out)
{
	*out = (struct msg){ .type = MSG_tls_pairs };
	out->tls_pairs.rows.n = s->pair_count;
	out->tls_pairs.rows.bytes = buf_span(&s->pairs);
}

/* Sent also when there is none any more. */
void
secrets_passwords(const struct secrets *s, const struct conf *conf,
    struct msg *out)
{
	*out = (struct msg){ .type = MSG_passwords };
	out->passwords.name = span_str(conf->auth.passwords);
	out->passwords.file = buf_span(&s->passwords);
}

void
secrets_hops(const struct secrets *s, struct msg *out)
{
	*out = (struct msg){ .type = MSG_hop_secrets };
	out->hop_secrets.rows.n = s->hop_count;
	out->hop_secrets.rows.bytes = buf_span(&s->hops);
}

/* The time in days, begun ones as whole. */
void
secrets_srs(const struct secrets *s, const struct conf *conf, struct msg *out)
{
	const int64_t day_ms = (int64_t)24 * 60 * 60 * 1000;

	*out = (struct msg){ .type = MSG_srs_keys };
	out->srs_keys.file = buf_span(&s->srs);
	out->srs_keys.days_max = (uint32_t)((conf->srs.max_age_ms + day_ms -
	    1) / day_ms);
}

void
secrets_hop_pairs(const struct secrets *s, struct msg *out)
{
	*out = (struct msg){ .type = MSG_hop_pairs };
	out->hop_pairs.rows.n = s->hop_pair_count;
	out->hop_pairs.rows.bytes = buf_span(&s->hop_pairs);
}

void
secrets_grants(const struct secrets *s, struct msg *out)
{
	*out = (struct msg){ .type = MSG_hop_grants };
	out->hop_grants.rows.n = s->grant_count;
	out->hop_grants.rows.bytes = buf_span(&s->grants);
}

void
secrets_client_ca(const struct secrets *s, const struct conf *conf,
    struct msg *out)
{
	*out = (struct msg){ .type = MSG_client_ca };
	out->client_ca.name = span_str(conf->auth.client_ca);
	out->client_ca.pem = buf_span(&s->client_ca);
}
