/*
 * Names in a packet are read by one walk, next_label(), whatever is done with
 * them; it is the only place that follows a pointer.  A host name is all that
 * mail can use, so text is made of nothing else: then no name can hold a dot
 * inside a label, or a blank that a log would show as something else.
 */
#include "common/dns/dns_names.h"

#include "common/base/text.h"

#define LABEL_MAX	63
#define POINTER_BITS	0xc0
#define JUMPS_MAX	127	/* as many as there can be labels */

/* A walk over the labels of one name. */
struct walk {
	struct span packet;
	size_t at;		/* of the next label */
	size_t behind;		/* the name, where it stands; 0: not known */
	size_t wire_bytes;	/* so far, without the root */
	unsigned jumps;
};

/*
 * The next label, empty at the root; ERR_SYNTAX.
 *
 * Three bounds keep a hostile packet from making work: pointers go backwards
 * only, there is a most of them, and the name is no longer than names are.
 */
static enum err
next_label(struct walk *w, struct span *out)
{
	for (;;) {
		struct span rest = span_from(w->packet, w->at);
		uint8_t n;

		if (rest.n == 0)
			return ERR_SYNTAX;
		n = rest.p[0];
		if ((n & POINTER_BITS) == POINTER_BITS) {
			size_t target;

			if (rest.n < 2 || w->jumps++ == JUMPS_MAX)
				return ERR_SYNTAX;
			target = (size_t)(n & 0x3f) << 8 | rest.p[1];
			/* not even to itself */
			if (target >= w->at)
				return ERR_SYNTAX;
			if (w->behind == 0)
				w->behind = w->at + 2;
			w->at = target;
			continue;
		}
		/* 01 and 10 as top bits are obsolete or reserved, RFC 6891
		 * 5 */
		if (n > LABEL_MAX || (size_t)n + 1 > rest.n)
			return ERR_SYNTAX;
		w->wire_bytes += (size_t)n + 1;
		if (w->wire_bytes > DNS_NAME_WIRE_MAX)
			return ERR_SYNTAX;
		w->at += (size_t)n + 1;
		if (n == 0 && w->behind == 0)
			w->behind = w->at;
		*out = span_sub(rest, 1, n);
		return OK;
	}
}

enum err
dns_names_skip(struct span packet, size_t *at)
{
	struct walk w = { .packet = packet, .at = *at };
	struct span label;

	do {
		if (next_label(&w, &label) != OK)
			return ERR_SYNTAX;
	} while (label.n > 0);
	*at = w.behind;
	return OK;
}

/* Appends `.label` in lower case; false for what no host name holds. */
static bool
add_label(struct span label, char *text, size_t *n)
{
	if (*n > 0)
		text[(*n)++] = '.';
	for (size_t i = 0; i < label.n; i++) {
		uint8_t c = label.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '.')
			return false;
		text[(*n)++] = (char)text_lower_byte(c);
	}
	return true;
}

enum err
dns_names_decode(struct span packet, size_t *at, char out[DNS_NAME_SIZE])
{
	struct walk w = { .packet = packet, .at = *at };
	char text[DNS_NAME_SIZE];
	bool is_text = true;
	size_t n = 0;

	for (;;) {
		struct span label;

		if (next_label(&w, &label) != OK)
			return ERR_SYNTAX;
		if (label.n == 0)
			break;
		/* 255 octets on the wire are 253 of text at most: it fits */
		is_text = is_text && add_label(label, text, &n);
	}
	*at = w.behind;
	/* the walk went on, so that the caller can go on behind it */
	if (!is_text)
		return ERR_RANGE;
	memcpy(out, text, n);
	out[n] = '\0';
	return OK;
}

/* `a.b.` and `a.b` are one name. */
static struct span
without_root(struct span text)
{
	if (text.n > 0 && text.p[text.n - 1] == '.')
		text.n--;
	return text;
}

/* The root is one octet, RFC 1035 3.1; each dot is replaced by the length of
 * the label behind it, so the wire form is two octets longer than the text. */
int
dns_names_encode(struct span text, uint8_t out[DNS_NAME_WIRE_MAX])
{
	uint8_t wire[DNS_NAME_WIRE_MAX];
	struct span rest = without_root(text);
	size_t n = 0;

	if (rest.n + 2 > sizeof(wire))
		return ERR_RANGE;
	while (rest.n > 0) {
		struct span label = span_sub(rest, 0, span_find(rest, '.'));

		/* an empty label, or one dot too many at the end */
		if (label.n == 0 || label.n + 1 == rest.n)
			return ERR_SYNTAX;
		if (label.n > LABEL_MAX)
			return ERR_RANGE;
		wire[n++] = (uint8_t)label.n;
		memcpy(wire + n, label.p, label.n);
		n += label.n;
		rest = span_from(rest, label.n + 1);
	}
	wire[n++] = 0;
	memcpy(out, wire, n);
	return (int)n;
}

bool
dns_names_equal(struct span a, struct span b)
{
	return span_equal_nocase(without_root(a), without_root(b));
}
