/*
 * The small parsers of common/base: the first byte chooses one, the rest is
 * its input.  What is accepted must come back from its written form.
 */
#include "common/base/b32.h"
#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/endpoint.h"
#include "common/base/glob.h"
#include "common/base/hex.h"
#include "common/base/json.h"
#include "common/base/text.h"
#include "common/base/units.h"
#include "common/base/utf8.h"
#include "common/base/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
try_ipaddr(struct span s)
{
	char text[IPADDR_TEXT_SIZE];
	struct ipaddr a, again;
	size_t n;

	if (ipaddr_parse(s, &a) != OK)
		return;
	n = ipaddr_format(&a, text);
	MUST(ipaddr_parse(span_of(text, n), &again) == OK);
	MUST(ipaddr_equal(&a, &again));
}

static void
try_prefix(struct span s)
{
	char text[IPADDR_PREFIX_TEXT_SIZE];
	struct ipaddr_prefix p, again;
	size_t n;

	if (ipaddr_prefix_parse(s, &p) != OK)
		return;
	n = ipaddr_prefix_format(&p, text);
	MUST(ipaddr_prefix_parse(span_of(text, n), &again) == OK);
	MUST(ipaddr_equal(&p.addr, &again.addr) && p.bits == again.bits);
	MUST(ipaddr_prefix_has(&p, &p.addr));
}

static void
try_endpoint(struct span s)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct endpoint e, again;
	size_t n;

	if (endpoint_parse(s, 25, &e) != OK)
		return;
	n = endpoint_format(&e, text);
	MUST(endpoint_parse(span_of(text, n), 0, &again) == OK);
	MUST(endpoint_equal(&e, &again));
}

static void
try_units(struct span s)
{
	char text[UNITS_TEXT_SIZE];
	uint64_t bytes, bytes_again;
	int64_t ms, ms_again;
	size_t n;

	if (units_parse_ms(s, &ms) == OK) {
		n = units_format_ms(ms, text);
		MUST(units_parse_ms(span_of(text, n), &ms_again) == OK);
		MUST(ms == ms_again);
	}
	if (units_parse_bytes(s, &bytes) == OK) {
		n = units_format_bytes(bytes, text);
		MUST(units_parse_bytes(span_of(text, n), &bytes_again) == OK);
		MUST(bytes == bytes_again);
	}
}

/* What decodes has this one spelling only (but for capitals in hex, b32). */
static void
try_codecs(struct span s)
{
	uint8_t out[4096];
	char text[B32_LENGTH];
	struct buf b;
	uint64_t v;
	size_t n;

	buf_init(&b, 2 * sizeof(out));
	if (base64_decode(s, out, sizeof(out), &n) == OK) {
		base64_encode(&b, span_of(out, n));
		MUST(span_equal(buf_span(&b), s));
	}
	buf_reset(&b);
	if (hex_decode(s, out, sizeof(out), &n) == OK) {
		hex_encode(&b, span_of(out, n));
		MUST(span_equal_nocase(buf_span(&b), s));
	}
	if (b32_decode(s, &v) == OK) {
		b32_encode(v, text);
		MUST(span_equal_nocase(span_of(text, sizeof(text)), s));
	}
	buf_clear(&b);
}

static void
try_text(struct span s)
{
	struct buf b;

	buf_init(&b, 6 * s.n + 200);
	text_escape_to(&b, s, "\"", 100);
	MUST(!buf_failed(&b) && b.n <= 100);
	for (size_t i = 0; i < b.n; i++)
		MUST(text_is_print(b.p[i]));
	buf_reset(&b);
	json_quote(&b, s);
	MUST(!buf_failed(&b) && utf8_is_valid(buf_span(&b)));
	buf_clear(&b);
}

static void
try_glob(struct span s)
{
	size_t half = s.n / 2;

	(void)glob_match(span_sub(s, 0, half), span_from(s, half));
	MUST(glob_match(SPAN_LIT("*"), s));
}

static void
try_wire(struct span s)
{
	struct wire w;

	wire_init(&w, s);
	while (wire_more(&w)) {
		(void)wire_span(&w, wire_u8(&w));
		(void)wire_u16(&w);
		(void)wire_u64(&w);
		(void)wire_raw(&w, wire_u32(&w));
	}
	MUST(wire_done(&w) == (w.is_failed ? ERR_SYNTAX : OK));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static void (*const tries[])(struct span) = {
		try_ipaddr, try_prefix, try_endpoint, try_units, try_codecs,
		try_text, try_glob, try_wire,
	};

	/* letters, so that a corpus can be written by hand */
	if (n > 0)
		tries[bytes[0] % COUNT_OF(tries)](
		    span_of(bytes + 1, n - 1));
	return 0;
}
