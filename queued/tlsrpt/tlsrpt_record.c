/*
 * tlsrpt-record = "v=TLSRPTv1" 1*(*WSP ";" *WSP field) [*WSP ";" *WSP]
 * rua           = "rua=" uri *(*WSP "," *WSP uri)
 * A comma, a semicolon and a `!` in a URI are percent-encoded, so that a record
 * can be cut at them.
 */
#include "queued/tlsrpt/tlsrpt_record.h"

#include "common/base/hex.h"
#include "common/base/text.h"
#include "common/mail/address.h"

#define VERSION SPAN_LIT("v=TLSRPTv1")
#define RUA SPAN_LIT("rua=")

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
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

/* The part before SEPARATOR, without blanks around it; *REST goes behind. */
static struct span
take(struct span *rest, uint8_t separator)
{
	size_t n = span_find(*rest, separator);
	struct span part = span_sub(*rest, 0, n);

	*rest = span_from(*rest, n + 1);
	return trim(part);
}

static bool
starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_equal(span_sub(s, 0, prefix.n), prefix);
}

static bool
is_known(struct span uri)
{
	if (uri.n > TLSRPT_URI_MAX)
		return false;
	for (size_t i = 0; i < uri.n; i++)
		if (!text_is_print(uri.p[i]) || uri.p[i] == ' ')
			return false;
	return span_starts_nocase(uri, SPAN_LIT("mailto:")) ||
	    span_starts_nocase(uri, SPAN_LIT("https:"));
}

static void
take_uris(struct span list, struct tlsrpt_record *out)
{
	while (list.n > 0 && out->n < TLSRPT_URIS_MAX) {
		struct span uri = take(&list, ',');

		if (is_known(uri))
			out->uris[out->n++] = uri;
	}
}

static bool
is_tlsrpt(struct span txt)
{
	struct span behind;

	if (!starts(txt, VERSION))
		return false;
	behind = trim(span_from(txt, VERSION.n));
	return behind.n > 0 && behind.p[0] == ';';
}

enum err
tlsrpt_record_parse(struct span txt, struct tlsrpt_record *out)
{
	bool has_rua = false;

	if (!is_tlsrpt(txt))
		return ERR_NOT_FOUND;
	out->n = 0;
	(void)take(&txt, ';');
	while (txt.n > 0) {
		struct span field = take(&txt, ';');

		if (!starts(field, RUA))
			continue;
		/* one is allowed: of several nobody knows which */
		if (has_rua)
			return ERR_SYNTAX;
		has_rua = true;
		take_uris(span_from(field, RUA.n), out);
	}
	return out->n > 0 ? OK : ERR_SYNTAX;
}

enum err
tlsrpt_record_pick(const struct span *txts, size_t n,
    struct tlsrpt_record *out)
{
	const struct span *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!is_tlsrpt(txts[i]))
			continue;
		if (found != NULL)
			return ERR_NOT_FOUND;
		found = &txts[i];
	}
	return found == NULL ? ERR_NOT_FOUND :
	    tlsrpt_record_parse(*found, out);
}

/* One octet of a URI; -1 for a percent sign without two digits. */
static int
decode_byte(struct span *rest)
{
	int high, low;
	uint8_t byte = rest->p[0];

	if (byte != '%') {
		*rest = span_from(*rest, 1);
		return byte;
	}
	if (rest->n < 3 || (high = hex_value(rest->p[1])) < 0 ||
	    (low = hex_value(rest->p[2])) < 0)
		return -1;
	*rest = span_from(*rest, 3);
	return high * 16 + low;
}

enum err
tlsrpt_record_mailbox(struct span uri, char out[TLSRPT_MAILBOX_SIZE])
{
	struct span scheme = SPAN_LIT("mailto:");
	struct address address;
	size_t n = 0;

	if (!span_starts_nocase(uri, scheme))
		return ERR_NOT_FOUND;
	uri = span_from(uri, scheme.n);
	uri = span_sub(uri, 0, span_find(uri, '?'));
	while (uri.n > 0) {
		int byte = decode_byte(&uri);

		if (byte <= 0 || n + 1 >= TLSRPT_MAILBOX_SIZE)
			return ERR_SYNTAX;
		out[n++] = (char)byte;
	}
	out[n] = '\0';
	return address_parse(span_of(out, n), 0, &address) == OK
	    ? OK : ERR_SYNTAX;
}
