/*
 * Files of secrets, read by root.  A file is judged by the descriptor that it
 * is read from, since its name may mean another one a moment later.
 */
#include "mtad/secrets.h"

#include "common/base/check.h"
#include "common/conf/conf.h"
#include "common/ipc/messages.h"
#include "common/os/fd.h"
#include "common/os/file.h"
#include "common/os/file_check.h"

#include <string.h>
#include <sys/stat.h>

#define CHAIN_MAX	((size_t)64 * 1024)	/* as in messages.def */
#define KEY_MAX		((size_t)16 * 1024)
#define AUTHORITIES_MAX	((size_t)2 * 1024 * 1024)
#define CLIENT_CA_MAX	((size_t)256 * 1024)
#define STAPLE_MAX	((size_t)16 * 1024)
#define PAIRS_MAX	((size_t)1024 * 1024)
#define PASSWORDS_MAX	((size_t)16 * 1024 * 1024)
#define HOP_FILE_MAX	((size_t)64 * 1024)
#define HOP_PASSWORD_MAX ((size_t)1024)	/* as in messages.def */
#define HOPS_MAX	((size_t)4 * 1024 * 1024)
#define READ_SLACK	((size_t)64 * 1024)	/* asked for to see the end */

/* Before the memory goes back: a later allocation may be sent somewhere. */
static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
}

void
secrets_clear(struct secrets *s)
{
	buf_clear(&s->authorities);
	buf_clear(&s->client_ca);
	wipe(&s->pairs);
	s->pair_count = 0;
	wipe(&s->passwords);
	s->has_passwords = false;
	wipe(&s->hops);
	s->hop_count = 0;
}

/* Room for all of it at once: what grows leaves its beginning behind in memory
 * that nobody overwrites. */
static enum err
make_room(int fd, size_t max, struct buf *out)
{
	struct stat st;
	size_t n;

	if (fstat(fd, &st) != 0)
		return ERR_IO;
	if ((uint64_t)st.st_size > max)
		return ERR_RANGE;
	n = (size_t)st.st_size + READ_SLACK;
	return buf_reserve(out, n < max ? n : max) != NULL ? OK : ERR_NOMEM;
}

static enum err
read_file(const char *path, size_t max, bool is_secret, struct buf *out,
    struct why *why)
{
	enum err e;
	int fd;

	e = file_open_read(AT_FDCWD, path, &fd, why);
	if (e != OK)
		return e;
	if (is_secret)
		e = file_check_secret(fd, path, why);
	if (e == OK) {
		e = is_secret ? make_room(fd, max, out) : OK;
		if (e == OK)
			e = file_read_fd(fd, max, out);
		if (e != OK)
			(void)why_set(why, e, "%s: %s", path, err_text(e));
	}
	fd_close(&fd);
	return e;
}

/* One certificate with what belongs to it. */
static enum err
read_pair(const struct conf *conf, size_t i, struct buf parts[3],
    struct why *why)
{
	enum err e = read_file(conf->tls.certificate.v[i], CHAIN_MAX, false,
	    &parts[0], why);

	if (e == OK)
		e = read_file(conf->tls.key.v[i], KEY_MAX, true, &parts[1],
		    why);
	if (e == OK && conf->tls.ocsp.n > i)
		e = read_file(conf->tls.ocsp.v[i], STAPLE_MAX, false,
		    &parts[2], why);
	return e;
}

static enum err
add_pair(struct secrets *s, const struct conf *conf, size_t i,
    struct why *why)
{
	struct buf parts[3];
	enum err e;

	buf_init(&parts[0], CHAIN_MAX);
	buf_init(&parts[1], KEY_MAX);
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
		wipe(&parts[k]);
	return e;
}

/* A route with a password verifies its hosts unless it says otherwise. */
static bool
has_verified(const struct conf *conf)
{
	for (size_t i = 0; i < conf->routes.n; i++) {
		const struct conf_route *route = &conf->routes.v[i];

		if (route->tls == CONF_ROUTE_TLS_VERIFIED ||
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
		return read_file(conf->tls.authorities, AUTHORITIES_MAX, false,
		    out, why);
	for (size_t i = 0; i < COUNT_OF(usual); i++) {
		if (read_file(usual[i], AUTHORITIES_MAX, false, out,
		    NULL) == OK)
			return OK;
	}
	if (!has_verified(conf))
		return OK;
	return why_set(why, ERR_NOT_FOUND, "routes[].tls: verified needs "
	    "authorities: name a bundle in tls.authorities, or install "
	    "ca-certificates");
}

static enum err
read_passwords(struct secrets *s, const struct conf *conf, struct why *why)
{
	if (conf->auth.passwords[0] == '\0')
		return OK;
	s->has_passwords = true;
	return read_file(conf->auth.passwords, PASSWORDS_MAX, true,
	    &s->passwords, why);
}

/* One line, as an editor leaves it. */
static enum err
add_hop(struct secrets *s, const char *path, struct why *why)
{
	struct msg_hop_secret row = { .name = span_str(path) };
	struct buf file;
	enum err e;

	buf_init(&file, HOP_FILE_MAX);
	e = read_file(path, HOP_FILE_MAX, true, &file, why);
	row.password = buf_span(&file);
	row.password = span_sub(row.password, 0,
	    span_find(row.password, '\n'));
	if (row.password.n > 0 && row.password.p[row.password.n - 1] == '\r')
		row.password.n--;
	if (e == OK && (row.password.n == 0 ||
	    row.password.n > HOP_PASSWORD_MAX))
		e = why_set(why, ERR_RANGE, "%s: its first line is to be the "
		    "password, of 1 to %d bytes", path,
		    (int)HOP_PASSWORD_MAX);
	if (e == OK) {
		msg_put_hop_secret(&s->hops, &row);
		s->hop_count++;
		if (buf_failed(&s->hops))
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
	}
	wipe(&file);
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
read_hops(struct secrets *s, const struct conf *conf, struct why *why)
{
	enum err e = OK;

	for (size_t i = 0; i < conf->routes.n && e == OK; i++) {
		const char *path = conf->routes.v[i].auth_password_file;

		if (path[0] == '\0' || is_read_already(conf, i))
			continue;
		if (s->hop_count == 0 &&
		    buf_reserve(&s->hops, HOPS_MAX) == NULL)
			e = why_set(why, ERR_NOMEM, "no memory for secrets");
		if (e == OK)
			e = add_hop(s, path, why);
	}
	return e;
}

enum err
secrets_read(const struct conf *conf, struct secrets *out, struct why *why)
{
	struct secrets s = { .pair_count = 0 };
	enum err e = OK;

	buf_init(&s.pairs, PAIRS_MAX);
	buf_init(&s.passwords, PASSWORDS_MAX);
	buf_init(&s.authorities, AUTHORITIES_MAX);
	buf_init(&s.hops, HOPS_MAX);
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
		e = read_hops(&s, conf, why);
	if (e == OK)
		e = read_authorities(conf, &s.authorities, why);
	if (e == OK && conf->auth.client_ca[0] != '\0')
		e = read_file(conf->auth.client_ca, CLIENT_CA_MAX, false,
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

void
secrets_client_ca(const struct secrets *s, const struct conf *conf,
    struct msg *out)
{
	*out = (struct msg){ .type = MSG_client_ca };
	out->client_ca.name = span_str(conf->auth.client_ca);
	out->client_ca.pem = buf_span(&s->client_ca);
}
