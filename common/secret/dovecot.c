#include "common/secret/dovecot.h"

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/text.h"
#include "common/base/utf8.h"

#include <string.h>

#define ESCAPE		0x01
#define MAJOR		1u	/* of the protocol */
/* The longest response, decoded, that fits into a line beside the rest. */
#define RESPONSE_MAX	(BASE64_DECODED_MAX(DOVECOT_LINE_MAX))

/* ---- what it says ---- */

/* Takes the next field off the front of *REST; false: there is none. */
static bool
take_field(struct span *rest, struct span *out)
{
	size_t at;

	if (rest->p == NULL)
		return false;
	at = span_find(*rest, '\t');
	*out = span_sub(*rest, 0, at);
	*rest = at < rest->n ? span_from(*rest, at + 1) : SPAN_NONE;
	return true;
}

static bool
take_number(struct span *rest, uint32_t *out)
{
	struct span field;
	uint64_t value = 0;

	if (!take_field(rest, &field) || field.n == 0 || field.n > 10)
		return false;
	for (size_t i = 0; i < field.n; i++) {
		if (!text_is_digit(field.p[i]))
			return false;
		value = value * 10 + (uint64_t)(field.p[i] - '0');
	}
	*out = (uint32_t)value;
	return value <= UINT32_MAX;
}

/* What stands behind "KEY="; false: the field is another one. */
static bool
is_key(struct span field, const char *key, struct span *value)
{
	const size_t n = strlen(key);

	if (field.n <= n || field.p[n] != '=' ||
	    memcmp(field.p, key, n) != 0)
		return false;
	*value = span_from(field, n + 1);
	return true;
}

static bool
unescape(uint8_t code, uint8_t *out)
{
	static const char codes[] = "01trn";
	static const uint8_t bytes[] = { 0x00, 0x01, '\t', '\r', '\n' };
	const char *at = code != 0 ? strchr(codes, code) : NULL;

	if (at == NULL)
		return false;
	*out = bytes[at - codes];
	return true;
}

/* A name that is to be shown and compared. */
static enum err
take_user(struct span value, struct dovecot_line *out)
{
	size_t n = 0;

	out->user_n = 0;
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];

		if (n == sizeof(out->user))
			return ERR_RANGE;
		if (c == ESCAPE && (++i == value.n ||
		    !unescape(value.p[i], &c)))
			return ERR_SYNTAX;
		if (c < 0x20 || c == 0x7f)
			return ERR_SYNTAX;
		out->user[n++] = (char)c;
	}
	if (n == 0 || !utf8_is_valid(span_of(out->user, n)))
		return ERR_SYNTAX;
	out->user_n = n;
	return OK;
}

static enum err
parse_version(struct span rest, struct dovecot_line *out)
{
	return take_number(&rest, &out->major) ? OK : ERR_SYNTAX;
}

static enum err
parse_mech(struct span rest, struct dovecot_line *out)
{
	struct span name;

	if (!take_field(&rest, &name))
		return ERR_SYNTAX;
	if (span_equal_nocase(name, SPAN_LIT("PLAIN")))
		out->mechanism = DOVECOT_PLAIN;
	else if (span_equal_nocase(name, SPAN_LIT("OAUTHBEARER")))
		out->mechanism = DOVECOT_OAUTHBEARER;
	return OK;
}

static enum err
parse_done(struct span rest, struct dovecot_line *out)
{
	(void)rest;
	(void)out;
	return OK;
}

/* A name that nobody can have here is that user's misfortune, not the
 * connection's. */
static enum err
parse_ok(struct span rest, struct dovecot_line *out)
{
	struct span field, value;

	if (!take_number(&rest, &out->id))
		return ERR_SYNTAX;
	while (take_field(&rest, &field)) {
		if (is_key(field, "user", &value) &&
		    take_user(value, out) != OK)
			out->is_later = true;
	}
	return OK;
}

static enum err
parse_fail(struct span rest, struct dovecot_line *out)
{
	struct span field;

	if (!take_number(&rest, &out->id))
		return ERR_SYNTAX;
	while (take_field(&rest, &field)) {
		if (span_equal(field, SPAN_LIT("temp")) ||
		    span_equal(field, SPAN_LIT("code=temp_fail")))
			out->is_later = true;
	}
	return OK;
}

static enum err
parse_cont(struct span rest, struct dovecot_line *out)
{
	struct span text = SPAN_NONE;

	if (!take_number(&rest, &out->id))
		return ERR_SYNTAX;
	(void)take_field(&rest, &text);
	if (base64_decode(text, out->challenge, sizeof(out->challenge),
	    &out->challenge_n) != OK)
		out->challenge_n = 0;
	return OK;
}

static const struct {
	const char *name;
	enum dovecot_kind kind;
	enum err (*parse)(struct span rest, struct dovecot_line *out);
} commands[] = {
	{ "VERSION", DOVECOT_VERSION, parse_version },
	{ "MECH", DOVECOT_MECH, parse_mech },
	{ "DONE", DOVECOT_DONE, parse_done },
	{ "OK", DOVECOT_OK, parse_ok },
	{ "FAIL", DOVECOT_FAIL, parse_fail },
	{ "CONT", DOVECOT_CONT, parse_cont },
};

enum err
dovecot_parse(struct span line, struct dovecot_line *out)
{
	struct dovecot_line made = { .kind = DOVECOT_OTHER };
	struct span rest = line, name = SPAN_NONE;
	enum err e = OK;

	(void)take_field(&rest, &name);
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (!span_equal(name, span_str(commands[i].name)))
			continue;
		made.kind = commands[i].kind;
		e = commands[i].parse(rest, &made);
		break;
	}
	if (e == OK)
		*out = made;
	return e;
}

/* ---- a connection ---- */

void
dovecot_init(struct dovecot *d)
{
	*d = (struct dovecot){ .n = 0 };
}

/* A whole line, or not yet; ERR_RANGE: one too long. */
static enum err
take_line(struct dovecot *d, struct span *input)
{
	const size_t at = span_find(*input, '\n');
	const bool is_whole = at < input->n;

	if (at >= sizeof(d->line) - d->n)
		return ERR_RANGE;
	if (at > 0)
		memcpy(d->line + d->n, input->p, at);
	d->n += at;
	*input = span_from(*input, is_whole ? at + 1 : at);
	return is_whole ? OK : ERR_AGAIN;
}

/* The version comes first, the rest in any order. */
static enum dovecot_event
greet(struct dovecot *d, const struct dovecot_line *line)
{
	if (++d->greeted > DOVECOT_GREETING_MAX)
		return DOVECOT_BROKEN;
	switch (line->kind) {
	case DOVECOT_VERSION:
		d->has_version = true;
		return line->major == MAJOR ? DOVECOT_MORE : DOVECOT_BROKEN;
	case DOVECOT_MECH:
		d->mechanisms |= line->mechanism;
		break;
	case DOVECOT_DONE:
		d->is_ready = true;
		break;
	case DOVECOT_OTHER:
		break;
	default:
		return DOVECOT_BROKEN;
	}
	if (!d->has_version)
		return DOVECOT_BROKEN;
	return d->is_ready ? DOVECOT_READY : DOVECOT_MORE;
}

static enum dovecot_event
judge(struct dovecot *d, const struct dovecot_line *line)
{
	if (!d->is_ready)
		return greet(d, line);
	return line->kind == DOVECOT_OK || line->kind == DOVECOT_FAIL ||
	    line->kind == DOVECOT_CONT ? DOVECOT_ANSWER : DOVECOT_NOISE;
}

enum dovecot_event
dovecot_next(struct dovecot *d, struct span *input, struct dovecot_line *out)
{
	enum dovecot_event event = DOVECOT_MORE;
	enum err e;

	while (event == DOVECOT_MORE) {
		e = take_line(d, input);
		if (e == ERR_AGAIN)
			return DOVECOT_MORE;
		if (e == OK)
			e = dovecot_parse(span_of(d->line, d->n), out);
		/* that of a token's user may have the token in it */
		explicit_bzero(d->line, d->n);
		d->n = 0;
		event = e == OK ? judge(d, out) : DOVECOT_BROKEN;
	}
	return event;
}

/* ---- what we say ---- */

void
dovecot_put_hello(uint32_t id, struct buf *out)
{
	buf_add_str(out, "VERSION\t1\t1\nCPID\t");
	buf_add_u64(out, id);
	buf_add_byte(out, '\n');
}

static void
put_address(const char *key, const struct ipaddr *a, struct buf *out)
{
	char text[IPADDR_TEXT_SIZE];

	if (a->family == IPADDR_NONE)
		return;
	buf_add_str(out, key);
	buf_add(out, text, ipaddr_format(a, text));
}

/* RFC 5801 section 4: what may not stand in a name. */
static void
put_saslname(struct span user, struct buf *out)
{
	for (size_t i = 0; i < user.n; i++) {
		if (user.p[i] == ',')
			buf_add_str(out, "=2C");
		else if (user.p[i] == '=')
			buf_add_str(out, "=3D");
		else
			buf_add_byte(out, user.p[i]);
	}
}

static void
put_response(const struct dovecot_question *q, struct buf *out)
{
	if (q->mechanism == DOVECOT_PLAIN) {
		buf_add_byte(out, '\0');
		buf_add_span(out, q->user);
		buf_add_byte(out, '\0');
		buf_add_span(out, q->secret);
		return;
	}
	buf_add_str(out, "n,");
	if (q->user.n > 0)
		buf_add_str(out, "a=");
	put_saslname(q->user, out);
	buf_add_str(out, ",\001auth=Bearer ");
	buf_add_span(out, q->secret);
	buf_add_str(out, "\001\001");
}

/* "nologin": there is no session to follow that Dovecot would have to know
 * of.  The response is the last field, always. */
static void
put_line(const struct dovecot_question *q, struct span response,
    struct buf *out)
{
	buf_add_str(out, "AUTH\t");
	buf_add_u64(out, q->id);
	buf_add_str(out, q->mechanism == DOVECOT_PLAIN ? "\tPLAIN"
	    : "\tOAUTHBEARER");
	buf_add_str(out, "\tservice=smtp\tnologin\tsecured");
	put_address("\tlip=", &q->local, out);
	put_address("\trip=", &q->client, out);
	buf_add_str(out, "\tresp=");
	base64_encode(out, response);
	buf_add_byte(out, '\n');
}

/* A buffer that is wiped, of the size that it may have at the most: one that
 * grows leaves copies behind. */
static enum err
put(const struct dovecot_question *q, struct buf *response, struct buf *out)
{
	const size_t before = out->n;

	if (buf_failed(out) || buf_reserve(response, RESPONSE_MAX) == NULL)
		return ERR_NOMEM;
	put_response(q, response);
	if (buf_failed(response))
		return ERR_RANGE;
	put_line(q, buf_span(response), out);
	if (!buf_failed(out) && out->n - before <= DOVECOT_LINE_MAX)
		return OK;
	if (out->p != NULL && out->n > before)
		explicit_bzero(out->p + before, out->n - before);
	out->n = before;
	if (!out->is_failed)
		return ERR_RANGE;
	out->is_failed = false;
	return ERR_NOMEM;
}

enum err
dovecot_put_question(const struct dovecot_question *q, struct buf *out)
{
	struct buf response;
	enum err e;

	buf_init(&response, RESPONSE_MAX);
	e = put(q, &response, out);
	if (response.p != NULL)
		explicit_bzero(response.p, response.size);
	buf_clear(&response);
	return e;
}

void
dovecot_put_surrender(uint32_t id, struct buf *out)
{
	buf_add_str(out, "CONT\t");
	buf_add_u64(out, id);
	buf_add_str(out, "\tAQ==\n");
}
