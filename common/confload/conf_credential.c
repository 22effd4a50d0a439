/*
 * A certificate, a password or a token, or the first with one of the others; and
 * by which mechanism of SASL the one or the other is told.
 */
#include "common/confload/conf_credential.h"

#include "common/base/span.h"

struct rule {
	const struct conf_route *route;
	struct conf_place place;
	struct conf_report *report;
	bool has_password, has_token, has_certificate;
	bool has_secret;		/* a password or a token */
	bool is_external, is_bearer;	/* the mechanism */
};

static void
complain(const struct rule *r, const char *what)
{
	conf_report_add(r->report, CONF_ERROR, r->place, "%s", what);
}

/* By MX, or no host at all. */
static bool
is_by_mx(const struct rule *r)
{
	return r->route->via.n > 0 &&
	    (r->route->via.v[0].scheme == CONF_SCHEME_MX ||
	    r->route->via.v[0].scheme >= CONF_SCHEME_DISCARD);
}

/* It is shown inside TLS, and nowhere else. */
static void
check_certificate(const struct rule *r)
{
	if (r->has_certificate != (r->route->tls_key[0] != '\0'))
		complain(r, "tls_certificate and tls_key go together");
	if (r->has_certificate && r->route->tls == CONF_ROUTE_TLS_NONE)
		complain(r, "tls: none: there is no TLS to show "
		    "tls_certificate in");
}

static void
check_mechanism(const struct rule *r)
{
	if (r->is_external && !r->has_certificate)
		complain(r, "auth.mechanism: external needs tls_certificate "
		    "and tls_key");
	if (r->is_external && r->has_password)
		complain(r, "auth.mechanism: external needs no "
		    "auth.password_file");
	if (r->is_bearer && !r->has_token)
		complain(r, "this auth.mechanism needs auth.token_url");
	else if (!r->is_external && !r->is_bearer && !r->has_password &&
	    r->route->auth_mechanism != CONF_MECHANISM_ANY)
		complain(r, "this auth.mechanism needs auth.password_file");
	if (r->is_external && is_by_mx(r))
		complain(r, "a user is for hosts that are named: `via: mx` "
		    "may be any");
}

/* RFC 6749 3.2: what is told there is told inside TLS; a user has no place in
 * it, and a fragment neither. */
static bool
is_endpoint(struct span url)
{
	const struct span scheme = SPAN_LIT("https://");
	struct span host;

	if (!span_starts_nocase(url, scheme))
		return false;
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] >= 0x7f || url.p[i] == '#')
			return false;
	host = span_from(url, scheme.n);
	host = span_sub(host, 0, span_find(host, '/'));
	return host.n > 0 && span_find(host, '@') == host.n;
}

static void
check_token(const struct rule *r)
{
	const struct conf_route *route = r->route;
	const bool has_files = route->auth_client_secret_file[0] != '\0' ||
	    route->auth_refresh_token_file[0] != '\0';

	if (!r->has_token) {
		if (has_files || route->auth_client_id[0] != '\0' ||
		    route->auth_scope[0] != '\0')
			complain(r, "auth.client_id, auth.client_secret_file, "
			    "auth.refresh_token_file and auth.scope belong to "
			    "auth.token_url");
		return;
	}
	if (!is_endpoint(span_str(route->auth_token_url)))
		complain(r, "auth.token_url is to be https://host[:port]/path");
	if (r->has_password || r->is_external)
		complain(r, "auth.token_url stands alone: no "
		    "auth.password_file, and not auth.mechanism: external");
	if (route->auth_client_id[0] == '\0' || !has_files)
		complain(r, "auth.token_url needs auth.client_id, and "
		    "auth.refresh_token_file or auth.client_secret_file");
}

static bool
is_this_host(const struct conf_target *target)
{
	return target->is_address && ipaddr_is_loopback(&target->ip);
}

/* A user is named for the rule, or for each of its hosts. */
static void
check_password(const struct rule *r)
{
	const struct conf_targets *via = &r->route->via;
	size_t users = 0, others = 0;

	for (size_t i = 0; i < via->n; i++) {
		users += r->route->auth_user[0] != '\0' ||
		    via->v[i].user[0] != '\0';
		others += !is_this_host(&via->v[i]) &&
		    via->v[i].scheme != CONF_SCHEME_SMTPS;
	}
	if (r->has_token && users < via->n)
		complain(r, "auth.user and auth.token_url go together");
	else if (r->has_password && users < via->n)
		complain(r, "auth.user and auth.password_file go together");
	if (!r->has_secret && !r->is_external && users > 0)
		complain(r, "auth.password_file and a user go together");
	if (!r->has_secret)
		return;
	if (is_by_mx(r))
		complain(r, "a password is for hosts that are named: `via: mx` "
		    "may be any");
	if (r->route->tls != CONF_ROUTE_TLS_NONE || others == 0)
		return;
	if (r->has_token)
		complain(r, "tls: none: no token is told in clear");
	else
		conf_report_add(r->report, CONF_WARNING, r->place,
		    "tls: none: a host that knows no SCRAM-SHA-256 is told no "
		    "password, and gets no mail");
}

void
conf_credential_check(const struct conf_route *route, struct conf_place place,
    struct conf_report *report)
{
	struct rule r = {
		.route = route, .place = place, .report = report,
		.has_password = route->auth_password_file[0] != '\0',
		.has_token = route->auth_token_url[0] != '\0',
		.has_certificate = route->tls_certificate[0] != '\0',
		.is_external = route->auth_mechanism ==
		    CONF_MECHANISM_EXTERNAL,
		.is_bearer = route->auth_mechanism ==
		    CONF_MECHANISM_OAUTHBEARER ||
		    route->auth_mechanism == CONF_MECHANISM_XOAUTH2,
	};

	r.has_secret = r.has_password || r.has_token;
	check_certificate(&r);
	check_mechanism(&r);
	check_token(&r);
	check_password(&r);
}
