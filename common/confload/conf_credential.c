/*
 * A certificate, a password, or both; and by which mechanism of SASL the one or
 * the other is told.
 */
#include "common/confload/conf_credential.h"

struct rule {
	const struct conf_route *route;
	struct conf_place place;
	struct conf_report *report;
	bool has_password, has_certificate;
	bool is_external;
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
	if (!r->is_external && !r->has_password &&
	    r->route->auth_mechanism != CONF_MECHANISM_ANY)
		complain(r, "this auth.mechanism needs auth.password_file");
	if (r->is_external && is_by_mx(r))
		complain(r, "a user is for hosts that are named: `via: mx` "
		    "may be any");
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
	if (r->has_password && users < via->n)
		complain(r, "auth.user and auth.password_file go together");
	if (!r->has_password && !r->is_external && users > 0)
		complain(r, "auth.password_file and a user go together");
	if (!r->has_password)
		return;
	if (is_by_mx(r))
		complain(r, "a password is for hosts that are named: `via: mx` "
		    "may be any");
	if (r->route->tls == CONF_ROUTE_TLS_NONE && others > 0)
		conf_report_add(r->report, CONF_WARNING, r->place,
		    "tls: none: a host that knows no SCRAM-SHA-256 is told no "
		    "password, and gets no mail");
}

void
conf_credential_check(const struct conf_route *route, struct conf_place place,
    struct conf_report *report)
{
	const struct rule r = {
		.route = route, .place = place, .report = report,
		.has_password = route->auth_password_file[0] != '\0',
		.has_certificate = route->tls_certificate[0] != '\0',
		.is_external = route->auth_mechanism ==
		    CONF_MECHANISM_EXTERNAL,
	};

	check_certificate(&r);
	check_mechanism(&r);
	check_password(&r);
}
