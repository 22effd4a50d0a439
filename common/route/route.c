/*
 * The name of a destination.  Recipients with the same name may share a unit,
 * a connection and a backoff, so it holds all that makes delivery differ: for
 * mail by MX the domain, for a route its hosts, and in both cases TLS and
 * credentials.
 *
 * It is text because it is also what people see and type (I-10).
 */
#include "common/route/route.h"

#include "common/base/text.h"
#include "common/conf/conf_schema.h"
#include "common/conf/conf_value.h"
#include "common/idn/idn.h"
#include "common/mail/envelope.h"

/* Behind the last @: a quoted local part may hold others. */
struct span
route_domain(struct span address)
{
	for (size_t i = address.n; i > 0; i--)
		if (address.p[i - 1] == '@')
			return span_from(address, i);
	return SPAN_NONE;
}

static const char *const schemes[] = {
	[CONF_SCHEME_MX] = "mx",
	[CONF_SCHEME_SMTP] = "smtp",
	[CONF_SCHEME_SMTPS] = "smtps",
	[CONF_SCHEME_LMTP] = "lmtp",
	[CONF_SCHEME_DISCARD] = "discard",
	[CONF_SCHEME_REFUSE] = "refuse",
	[CONF_SCHEME_HOLD] = "hold",
};

/* One spelling, so that one destination isn't two. */
static void
put_lower(struct span s, struct buf *out)
{
	uint8_t *p = buf_reserve(out, s.n);

	if (p != NULL) {
		text_lower(s, p);
		buf_commit(out, s.n);
	}
}

/* As written in the file, but in one spelling and with its port. */
static void
put_target(const struct route_target *target, struct buf *out)
{
	bool is_v6 = target->is_address && target->ip.family == IPADDR_6;
	char text[IPADDR_TEXT_SIZE];

	if (target->scheme >= CONF_SCHEME_DISCARD) {
		buf_addf(out, "%s:", schemes[target->scheme]);
		return;
	}
	buf_addf(out, "%s://", schemes[target->scheme]);
	if (route_target_is_unix(target)) {
		buf_add_str(out, target->host);
		return;
	}
	if (target->user[0] != '\0')
		buf_addf(out, "%s@", target->user);
	if (is_v6)
		buf_add_byte(out, '[');
	/* one address, one spelling */
	if (target->is_address) {
		ipaddr_format(&target->ip, text);
		buf_add_str(out, text);
	} else {
		put_lower(span_str(target->host), out);
	}
	if (is_v6)
		buf_add_byte(out, ']');
	buf_add_byte(out, ':');
	buf_add_u64(out, target->port);
}

/* A file's name may hold anything; the number of the rule is as good. */
static void
put_certificate(const struct route *route, struct buf *out)
{
	const struct span name = span_str(route->certificate);
	bool is_plain = true;

	for (size_t i = 0; i < name.n; i++)
		is_plain = is_plain && text_is_print(name.p[i]) &&
		    name.p[i] != ' ' && name.p[i] != ';';
	buf_add_str(out, ";certificate=");
	if (is_plain)
		buf_add_span(out, name);
	else
		buf_addf(out, "%u", (unsigned)route->index);
}

/* All of the name but the domain.  The default of TLS isn't spelled out. */
void
route_manner(const struct route *route, struct buf *out)
{
	size_t before = out->n;

	/* in their order: another order is another destination */
	for (size_t i = 0; i < route->n_targets && !route_is_mx(route); i++) {
		if (i > 0)
			buf_add_byte(out, ',');
		put_target(&route->targets[i], out);
	}
	if (route->tls != CONF_ROUTE_TLS_OPPORTUNISTIC_DANE_STS) {
		buf_add_str(out, ";tls=");
		conf_value_print(CONF_TYPE_ROUTE_TLS, &route->tls, out);
	}
	if (route->auth_user[0] != '\0')
		buf_addf(out, ";user=%s", route->auth_user);
	if (route->has_token)
		buf_add_str(out, ";token");
	if (route->auth_mechanism != CONF_MECHANISM_ANY) {
		buf_add_str(out, ";auth=");
		conf_value_print(CONF_TYPE_MECHANISM, &route->auth_mechanism,
		    out);
	}
	if (route->certificate[0] != '\0')
		put_certificate(route, out);
	route_way_manner(route->way, out);
	/* such a route shares its connections with no other one */
	if (!buf_failed(out) && out->n - before > ROUTE_KEY_MAX / 2) {
		out->n = before;
		buf_addf(out, "route:%u", (unsigned)route->index);
	}
}

void
route_key(const struct route *route, struct span recipient, struct buf *out)
{
	struct span domain = route_domain(recipient);
	char ascii[IDN_ASCII_MAX + 1];

	/* U-labels and A-labels are one domain; what is neither keeps its
	 * octets, and is refused when it is to be looked up */
	(void)idn_to_ascii(domain, ascii, &domain);
	if (route_is_mx(route))
		put_lower(span_sub(domain, 0, ROUTE_KEY_MAX / 2), out);
	buf_add_str(out, route->manner);
}

void
route_key_require_tls(struct buf *out)
{
	buf_add_str(out, ";requiretls");
}

void
route_key_tls(uint32_t flags, struct buf *out)
{
	if ((flags & ENVELOPE_REQUIRE_TLS) != 0)
		route_key_require_tls(out);
	else if ((flags & ENVELOPE_TLS_OPTIONAL) != 0)
		buf_add_str(out, ";tls-optional");
}
