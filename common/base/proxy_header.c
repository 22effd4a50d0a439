/*
 * Strict where the protocol is: what comes from a proxy that we were told to
 * believe decides whom we trust, so a header that could be read in two ways is
 * none.  The sections are those of proxy-protocol.txt.
 */
#include "common/base/proxy_header.h"

#include "common/base/crc32c.h"
#include "common/base/text.h"

#define HEAD_BYTES	16	/* of version 2, before the addresses */
#define TYPE_CRC32C	3

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
#define SIGNATURE ((struct span){ (const uint8_t *)signature, 12 })

static enum proxy_header_state
bad(struct proxy_header *out, const char *why)
{
	out->why = why;
	return PROXY_HEADER_BAD;
}

/* As far as both go. */
static bool
begins_like(struct span in, struct span model)
{
	size_t n = in.n < model.n ? in.n : model.n;

	return span_equal(span_sub(in, 0, n), span_sub(model, 0, n));
}

/* ---- version 1: a line (section 2.1) ---- */

/* Takes the word before the next blank, and that. */
static struct span
next_word(struct span *line)
{
	size_t end = span_find(*line, ' ');
	struct span word = span_sub(*line, 0, end);

	*line = span_from(*line, end + 1);
	return word;
}

/* 0 to 65535, without leading zeros. */
static bool
take_port(struct span text, uint16_t *port)
{
	uint32_t v = 0;

	if (text.n == 0 || text.n > 5 || (text.n > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (!text_is_digit(text.p[i]))
			return false;
		v = v * 10 + (text.p[i] - (uint32_t)'0');
	}
	*port = (uint16_t)v;
	return v <= UINT16_MAX;
}

/* The text of a mapped address is one of IPv6, whatever it is for us. */
static bool
take_address(struct span text, bool is_six, struct ipaddr *out)
{
	return (span_find(text, ':') < text.n) == is_six &&
	    ipaddr_parse(text, out) == OK;
}

/* Behind "PROXY TCP4 " or "PROXY TCP6 ": four words, one blank between. */
static enum proxy_header_state
parse_addresses(struct span rest, bool is_six, struct proxy_header *out)
{
	struct span from = next_word(&rest), to = next_word(&rest);
	struct span from_port = next_word(&rest);
	struct endpoint client, server;

	if (!take_address(from, is_six, &client.addr) ||
	    !take_address(to, is_six, &server.addr))
		return bad(out, "a bad address in the PROXY header");
	if (!take_port(from_port, &client.port) ||
	    !take_port(rest, &server.port))
		return bad(out, "a bad port in the PROXY header");
	out->client = client;
	out->server = server;
	out->has_client = true;
	return PROXY_HEADER_WHOLE;
}

static enum proxy_header_state
parse_line(struct span in, struct proxy_header *out)
{
	size_t end = span_find(span_sub(in, 0, PROXY_HEADER_LINE_MAX), '\n');
	struct span line = span_sub(in, 6, end >= 7 ? end - 7 : 0);
	struct span family;

	if (end >= PROXY_HEADER_LINE_MAX)
		return bad(out, "a PROXY header that is too long");
	if (end == in.n)
		return PROXY_HEADER_MORE;
	if (end < 7 || in.p[end - 1] != '\r')
		return bad(out, "a PROXY header without CR LF");
	*out = (struct proxy_header){ .bytes = end + 1 };
	family = next_word(&line);
	if (span_equal(family, SPAN_LIT("TCP4")))
		return parse_addresses(line, false, out);
	if (span_equal(family, SPAN_LIT("TCP6")))
		return parse_addresses(line, true, out);
	/* what is behind it is to be ignored */
	if (span_equal(family, SPAN_LIT("UNKNOWN")))
		return PROXY_HEADER_WHOLE;
	return bad(out, "an unknown family in the PROXY header");
}

/* ---- version 2: binary (section 2.2) ---- */

static uint16_t
u16_at(struct span in, size_t at)
{
	return (uint16_t)(in.p[at] << 8 | in.p[at + 1]);
}

/* Over all of the header, its own four octets taken for zeros. */
static bool
is_sum_right(struct span header, size_t at)
{
	static const uint8_t zeros[4];
	uint32_t sum = crc32c(0, header.p, at);
	uint32_t told = (uint32_t)u16_at(header, at) << 16 |
	    u16_at(header, at + 2);

	sum = crc32c(sum, zeros, sizeof(zeros));
	return crc32c(sum, header.p + at + 4, header.n - at - 4) == told;
}

/* Type, length in two octets, value; they fill the header from AT to its
 * end. */
static enum proxy_header_state
check_tlvs(struct span header, size_t at, struct proxy_header *out)
{
	while (at < header.n) {
		size_t n;

		if (header.n - at < 3)
			return bad(out, "a bad TLV in the PROXY header");
		n = u16_at(header, at + 1);
		if (n > header.n - at - 3)
			return bad(out, "a bad TLV in the PROXY header");
		if (header.p[at] == TYPE_CRC32C &&
		    (n != 4 || !is_sum_right(header, at + 3)))
			return bad(out, "a wrong checksum in the PROXY header");
		at += 3 + n;
	}
	return PROXY_HEADER_WHOLE;
}

/* By the second octet behind the signature; false for what is none. */
static bool
address_bytes(uint8_t family, size_t *bytes)
{
	switch (family) {
	case 0x00:			/* unspecified */
		*bytes = 0;
		return true;
	case 0x11: case 0x12:		/* IPv4: stream, datagram */
		*bytes = 12;
		return true;
	case 0x21: case 0x22:		/* IPv6 */
		*bytes = 36;
		return true;
	case 0x31: case 0x32:		/* Unix */
		*bytes = 216;
		return true;
	default:
		return false;
	}
}

static void
take_addresses(struct span header, bool is_six, struct proxy_header *out)
{
	const uint8_t *p = header.p + HEAD_BYTES;
	size_t ports = HEAD_BYTES + (is_six ? 32 : 8);

	out->has_client = true;
	out->client.addr = is_six ? ipaddr_v6(p) : ipaddr_v4(p);
	out->server.addr = is_six ? ipaddr_v6(p + 16) : ipaddr_v4(p + 4);
	out->client.port = u16_at(header, ports);
	out->server.port = u16_at(header, ports + 2);
}

static enum proxy_header_state
parse_whole(struct span header, struct proxy_header *out)
{
	uint8_t family = header.p[13];
	bool is_local = header.p[12] == 0x20;
	size_t bytes;

	if (!address_bytes(family, &bytes))
		return bad(out, "an unknown family in the PROXY header");
	if (bytes > header.n - HEAD_BYTES) {
		/* of LOCAL even the family means nothing */
		if (is_local && header.n == HEAD_BYTES)
			bytes = 0;
		else
			return bad(out, "a PROXY header that is too short");
	}
	if ((family & 0xf) == 2 && !is_local)
		return bad(out, "a PROXY header that is not for TCP");
	*out = (struct proxy_header){ .bytes = header.n };
	if (!is_local && (family == 0x11 || family == 0x21))
		take_addresses(header, family == 0x21, out);
	return check_tlvs(header, HEAD_BYTES + bytes, out);
}

static enum proxy_header_state
parse_binary(struct span in, struct proxy_header *out)
{
	size_t n;

	if (in.n > 12 && in.p[12] != 0x20 && in.p[12] != 0x21)
		return bad(out, "an unknown version or command in the PROXY "
		    "header");
	if (in.n < HEAD_BYTES)
		return PROXY_HEADER_MORE;
	n = HEAD_BYTES + (size_t)u16_at(in, 14);
	if (n > PROXY_HEADER_MAX)
		return bad(out, "a PROXY header that is too long");
	return in.n < n ? PROXY_HEADER_MORE :
	    parse_whole(span_sub(in, 0, n), out);
}

enum proxy_header_state
proxy_header_parse(struct span in, struct proxy_header *out)
{
	if (in.n == 0)
		return PROXY_HEADER_MORE;
	if (begins_like(in, SIGNATURE))
		return in.n < 12 ? PROXY_HEADER_MORE : parse_binary(in, out);
	if (begins_like(in, SPAN_LIT("PROXY ")))
		return in.n < 6 ? PROXY_HEADER_MORE : parse_line(in, out);
	return bad(out, "no PROXY header");
}
