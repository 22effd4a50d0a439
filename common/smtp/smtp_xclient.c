#include "common/smtp/smtp_xclient.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/mail/xtext.h"

/* ---- values ---- */

/* What goes into logs and trace fields is printable; a name has no blank. */
static bool
take_text(struct span value, bool may_blank, struct smtp_xclient_text *out)
{
	if (value.n > SMTP_XCLIENT_TEXT_MAX)
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (!text_is_print(value.p[i]) ||
		    (value.p[i] == ' ' && !may_blank))
			return false;
	memcpy(out->text, value.p, value.n);
	out->n = (uint8_t)value.n;
	return true;
}

/* 192.0.2.1, or IPV6:2001:db8::1 */
static bool
take_addr(struct span value, struct ipaddr *out)
{
	const struct span six = SPAN_LIT("IPV6:");
	bool is_six = span_starts_nocase(value, six);
	struct span text = is_six ? span_from(value, six.n) : value;

	return (span_find(text, ':') < text.n) == is_six &&
	    ipaddr_parse(text, out) == OK;
}

static bool
take_port(struct span value, uint16_t *out)
{
	uint64_t v;

	if (units_parse_u64(value, &v) != OK || v > UINT16_MAX)
		return false;
	*out = (uint16_t)v;
	return true;
}

static bool
take_proto(struct span value, bool *is_esmtp)
{
	*is_esmtp = span_equal_nocase(value, SPAN_LIT("ESMTP"));
	return *is_esmtp || span_equal_nocase(value, SPAN_LIT("SMTP"));
}

static bool
take_value(enum smtp_xclient_attr attr, struct span value,
    struct smtp_xclient *x)
{
	switch (attr) {
	case SMTP_XCLIENT_NAME:
		return take_text(value, false, &x->name);
	case SMTP_XCLIENT_ADDR:
		return take_addr(value, &x->client.addr);
	case SMTP_XCLIENT_PORT:
		return take_port(value, &x->client.port);
	case SMTP_XCLIENT_PROTO:
		return take_proto(value, &x->is_esmtp);
	case SMTP_XCLIENT_HELO:
		return take_text(value, true, &x->helo);
	case SMTP_XCLIENT_LOGIN:
		return take_text(value, true, &x->login);
	case SMTP_XCLIENT_DESTADDR:
		return take_addr(value, &x->server.addr);
	case SMTP_XCLIENT_DESTPORT:
		return take_port(value, &x->server.port);
	case SMTP_XCLIENT_COUNT:
		break;
	}
	return false;
}

/* ---- attributes ---- */

static enum smtp_xclient_attr
find(struct span name)
{
	static const char *const names[SMTP_XCLIENT_COUNT] = {
		"NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR",
		"DESTPORT",
	};

	for (unsigned i = 0; i < COUNT_OF(names); i++)
		if (span_equal_nocase(name, span_str(names[i])))
			return (enum smtp_xclient_attr)i;
	return SMTP_XCLIENT_COUNT;
}

static bool
is_unknown(struct span value)
{
	return span_equal_nocase(value, SPAN_LIT("[UNAVAILABLE]")) ||
	    span_equal_nocase(value, SPAN_LIT("[TEMPUNAVAIL]"));
}

/* NULL when it was right, else why not. */
static const char *
take_attribute(struct span word, struct buf *value, struct smtp_xclient *x)
{
	size_t sign = span_find(word, '=');
	enum smtp_xclient_attr attr = find(span_sub(word, 0, sign));

	if (attr == SMTP_XCLIENT_COUNT)
		return "there is no such attribute";
	if ((x->given & 1U << attr) != 0)
		return "an attribute stands there twice";
	x->given |= 1U << attr;
	buf_reset(value);
	if (sign + 1 >= word.n ||
	    xtext_decode(span_from(word, sign + 1), value) != OK)
		return "a value is missing or no xtext";
	if (is_unknown(buf_span(value))) {
		x->unknown |= 1U << attr;
		return NULL;
	}
	return take_value(attr, buf_span(value), x) ? NULL :
	    "a value is not what its attribute asks for";
}

enum err
smtp_xclient_parse(struct span argument, struct smtp_xclient *out,
    const char **why)
{
	struct smtp_xclient x = { 0 };
	const char *fault = argument.n == 0 ? "it needs attributes" : NULL;
	struct buf value;

	buf_init(&value, argument.n + 1);
	while (argument.n > 0 && fault == NULL) {
		size_t end = span_find(argument, ' ');

		/* several blanks are one */
		if (end > 0)
			fault = take_attribute(span_sub(argument, 0, end),
			    &value, &x);
		argument = span_from(argument, end + 1);
	}
	buf_clear(&value);
	if (fault != NULL) {
		*why = fault;
		return ERR_SYNTAX;
	}
	*out = x;
	return OK;
}

void
smtp_xclient_merge(struct smtp_xclient *x, const struct smtp_xclient *more)
{
	const struct smtp_xclient old = *x;
	unsigned given = more->given;

	*x = *more;
	if ((given & 1U << SMTP_XCLIENT_NAME) == 0)
		x->name = old.name;
	if ((given & 1U << SMTP_XCLIENT_ADDR) == 0)
		x->client.addr = old.client.addr;
	if ((given & 1U << SMTP_XCLIENT_PORT) == 0)
		x->client.port = old.client.port;
	if ((given & 1U << SMTP_XCLIENT_PROTO) == 0)
		x->is_esmtp = old.is_esmtp;
	if ((given & 1U << SMTP_XCLIENT_HELO) == 0)
		x->helo = old.helo;
	if ((given & 1U << SMTP_XCLIENT_LOGIN) == 0)
		x->login = old.login;
	if ((given & 1U << SMTP_XCLIENT_DESTADDR) == 0)
		x->server.addr = old.server.addr;
	if ((given & 1U << SMTP_XCLIENT_DESTPORT) == 0)
		x->server.port = old.server.port;
	x->given = old.given | given;
	x->unknown = (old.unknown & ~given) | more->unknown;
}
