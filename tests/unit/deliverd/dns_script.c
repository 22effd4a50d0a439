#include "dns_script.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/ipaddr.h"
#include "common/dns/dns_wire.h"

#define LINE_MAX_BYTES 8192

/* ---- the file ---- */

void
dns_script_clear(struct dns_script *s)
{
	for (size_t i = 0; i < s->n_rows; i++)
		free(s->rows[i].records);
	memset(s, 0, sizeof(*s));
}

static void
set_verdict(struct dns_script *s, const char *words)
{
	char outcome[16];

	cr_assert_eq(sscanf(words, "%15s %15s", outcome, s->status), 2, "%s",
	    words);
	s->is_permanent = strcmp(outcome, "failed") == 0;
	cr_assert(s->is_permanent || strcmp(outcome, "deferred") == 0, "%s",
	    words);
}

static void
add_row(struct dns_script *s, char *line)
{
	char *colon = strstr(line, ":"), *records;
	struct dns_script_row *row = &s->rows[s->n_rows++];

	cr_assert(s->n_rows <= DNS_SCRIPT_ROWS && colon != NULL, "%s", line);
	/* a name may have colons only behind the first */
	*colon = '\0';
	records = colon + 1;
	row->words[0] = '\0';
	cr_assert_geq(sscanf(line, "%127s %15s %127[^\n]", row->name,
	    row->type, row->words), 2, "%s", line);
	row->records = strdup(records);
}

static void
add_address(struct dns_script *s, const char *ip)
{
	bool is_4 = strchr(ip, ':') == NULL;
	char row[256], hex[33] = "";
	struct ipaddr a;

	(void)snprintf(row, sizeof(row),
	    "d.example MX: d.example MX 10 m.d.example");
	add_row(s, row);
	if (is_4) {
		(void)snprintf(row, sizeof(row),
		    "m.d.example A: m.d.example A %s", ip);
	} else {
		cr_assert_eq(ipaddr_parse(span_str(ip), &a), OK, "%s", ip);
		for (int i = 0; i < 16; i++) {
			uint8_t octet = a.bytes[i];

			/* a mapped one was taken for what it stands for */
			if (a.family == IPADDR_4)
				octet = i < 10 ? 0 : i < 12 ? 0xff :
				    a.bytes[i - 12];
			(void)sprintf(hex + 2 * i, "%02x", octet);
		}
		(void)snprintf(row, sizeof(row),
		    "m.d.example AAAA: m.d.example AAAA x:%s", hex);
	}
	add_row(s, row);
}

/* A case of one line. */
static bool
read_short(struct dns_script *s, const char *line)
{
	char kind[16], ip[64], rest[64] = "";

	if (sscanf(line, "%15s %63s %63[^\n]", kind, ip, rest) < 2)
		return false;
	if (strcmp(kind, "given") != 0 && strcmp(kind, "refused") != 0 &&
	    strcmp(kind, "address") != 0)
		return false;
	add_address(s, ip);
	(void)snprintf(s->name, sizeof(s->name), "%.8s %.50s", kind, ip);
	s->refuses_private = strcmp(kind, "refused") == 0;
	if (strcmp(kind, "given") == 0) {
		set_verdict(s, "deferred 4.4.1");
		(void)snprintf(s->tries, sizeof(s->tries), "%s", ip);
	} else {
		set_verdict(s, rest);
	}
	return true;
}

static void
read_line(struct dns_script *s, char *line)
{
	if (strncmp(line, "case ", 5) == 0)
		(void)snprintf(s->name, sizeof(s->name), "%.63s", line + 5);
	else if (strcmp(line, "private refuse") == 0)
		s->refuses_private = true;
	else if (strncmp(line, "verdict ", 8) == 0)
		set_verdict(s, line + 8);
	else if (strncmp(line, "tries ", 6) == 0)
		(void)snprintf(s->tries, sizeof(s->tries), "%.255s", line + 6);
	else
		add_row(s, line);
}

bool
dns_script_next(void *file, int *number, struct dns_script *s)
{
	static char line[LINE_MAX_BYTES];

	memset(s, 0, sizeof(*s));
	while (fgets(line, sizeof(line), file) != NULL) {
		++*number;
		cr_assert_not_null(strchr(line, '\n'), "line %d", *number);
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		if (line[0] == '\0' && s->name[0] != '\0')
			return true;
		if (line[0] == '\0')
			continue;
		if (s->name[0] == '\0')
			s->line = *number;
		if (s->name[0] == '\0' && read_short(s, line))
			return true;
		read_line(s, line);
	}
	return s->name[0] != '\0';
}

const struct dns_script_row *
dns_script_find(const struct dns_script *s, const char *name,
    const char *type)
{
	for (size_t i = 0; i < s->n_rows; i++)
		if (strcmp(s->rows[i].name, name) == 0 &&
		    strcmp(s->rows[i].type, type) == 0)
			return &s->rows[i];
	return NULL;
}

bool
dns_script_has(const struct dns_script *s, const char *name)
{
	for (size_t i = 0; i < s->n_rows; i++)
		if (strcmp(s->rows[i].name, name) == 0)
			return true;
	return false;
}

/* ---- its words ---- */

/* What follows WORD, a whole one or up to its `='; NULL without. */
static const char *
find_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += n)
		if ((at == words || at[-1] == ' ') && (word[n - 1] == '=' ||
		    at[n] == '\0' || at[n] == ' '))
			return at + n;
	return NULL;
}

bool
dns_script_says(const struct dns_script_row *row, const char *word)
{
	return find_word(row->words, word) != NULL;
}

static long
number_of(const char *words, const char *word, long without)
{
	const char *at = find_word(words, word);

	return at != NULL ? strtol(at, NULL, 10) : without;
}

static uint16_t
type_of(const char *text)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = {
		{ "A", DNS_TYPE_A }, { "AAAA", DNS_TYPE_AAAA },
		{ "MX", DNS_TYPE_MX }, { "CNAME", DNS_TYPE_CNAME },
		{ "TXT", DNS_TYPE_TXT },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, text) == 0)
			return types[i].type;
	cr_assert(text[0] >= '1' && text[0] <= '9', "type %s", text);
	return (uint16_t)atoi(text);
}

/* ---- the packet ---- */

static void
put_u16(struct buf *out, unsigned long v)
{
	buf_add_byte(out, (uint8_t)(v >> 8));
	buf_add_byte(out, (uint8_t)v);
}

static void
put_name(struct buf *out, const char *text)
{
	uint8_t wire[DNS_NAME_WIRE_MAX];
	int n;

	if (strcmp(text, "@self") == 0) {
		put_u16(out, 0xc000 | out->n);
		return;
	}
	if (text[0] == '@') {
		put_u16(out, 0xc000 | strtoul(text + 1, NULL, 10));
		return;
	}
	/* capitals stay: they are part of the case */
	if (strcmp(text, ".") == 0) {
		buf_add_byte(out, 0);
		return;
	}
	n = dns_names_encode(span_str(text), wire);
	cr_assert_gt(n, 0, "%s", text);
	for (int i = 0, at = 0; i < n - 1; i += wire[i] + 1, at = i) {
		memcpy(wire + i + 1, text + at, wire[i]);
	}
	buf_add(out, wire, (size_t)n);
}

static void
put_hex(struct buf *out, const char *hex)
{
	unsigned octet;

	for (; sscanf(hex, "%2x", &octet) == 1; hex += 2)
		buf_add_byte(out, (uint8_t)octet);
}

static void
put_text(struct buf *out, long n)
{
	for (; n > 0; n -= 255) {
		long part = n > 255 ? 255 : n;

		buf_add_byte(out, (uint8_t)part);
		for (long i = 0; i < part; i++)
			buf_add_byte(out, 'x');
	}
}

static void
put_address(struct buf *out, const char *text)
{
	struct ipaddr ip;

	cr_assert_eq(ipaddr_parse(span_str(text), &ip), OK, "%s", text);
	buf_add(out, ip.bytes, ip.family == IPADDR_4 ? 4 : 16);
}

/* TEXT is "DATA [len=N] [class=N]". */
static void
put_data(struct buf *out, uint16_t type, const char *text)
{
	char first[1024] = "", second[256] = "";

	(void)sscanf(text, "%1023s %255s", first, second);
	if (strncmp(first, "x:", 2) == 0) {
		put_hex(out, first + 2);
	} else if (first[0] == '*') {
		put_text(out, atol(first + 1));
	} else if (type == DNS_TYPE_MX) {
		put_u16(out, strtoul(first, NULL, 10));
		put_name(out, second);
	} else if (type == DNS_TYPE_CNAME) {
		put_name(out, first);
	} else {
		put_address(out, first);
	}
}

static void
put_record(struct buf *out, const char *text)
{
	char owner[256], type[16], data[LINE_MAX_BYTES] = "";
	size_t length_at, n;

	cr_assert_geq(sscanf(text, " %255s %15s %8191[^\n]", owner, type,
	    data), 2, "%s", text);
	put_name(out, owner);
	put_u16(out, type_of(type));
	put_u16(out, (unsigned long)number_of(data, "class=", 1));
	put_u16(out, 0);
	put_u16(out, 60);
	length_at = out->n;
	put_u16(out, 0);
	put_data(out, type_of(type), data);
	n = (size_t)number_of(data, "len=", (long)(out->n - length_at - 2));
	out->p[length_at] = (uint8_t)(n >> 8);
	out->p[length_at + 1] = (uint8_t)n;
}

/* "100*OWNER …": N of them, with their number for each %. */
static unsigned
put_records(struct buf *out, const char *text)
{
	unsigned long times;
	char *rest;

	text += strspn(text, " ");
	times = strtoul(text, &rest, 10);
	if (*rest != '*') {
		put_record(out, text);
		return 1;
	}
	for (unsigned long i = 1; i <= times; i++) {
		char one[1024];
		size_t n = 0;

		for (const char *p = rest + 1; *p != '\0'; p++)
			if (*p == '%')
				n += (size_t)sprintf(one + n, "%lu", i);
			else
				one[n++] = *p;
		one[n] = '\0';
		put_record(out, one);
	}
	return (unsigned)times;
}

static unsigned
put_answers(struct buf *out, const char *records)
{
	char *copy = strdup(records), *rest = NULL;
	unsigned n = 0;

	for (char *w = strtok_r(copy, ";", &rest); w != NULL;
	    w = strtok_r(NULL, ";", &rest))
		if (w[strspn(w, " ")] != '\0')
			n += put_records(out, w);
	free(copy);
	return n;
}

void
dns_script_packet(const struct dns_script_row *row, const char *name,
    uint16_t type, uint8_t rcode, struct buf *out)
{
	const char *words = row != NULL ? row->words : "";
	unsigned long flags = 0x8180U |
	    (unsigned long)number_of(words, "rcode=", rcode);
	char asked[256], asked_type[16];
	const char *other = find_word(words, "question=");
	unsigned long n;
	size_t cut = (size_t)number_of(words, "cut=", 0);

	if (find_word(words, "tc") != NULL)
		flags |= 0x0200;
	if (find_word(words, "noqr") != NULL)
		flags &= 0x7fff;
	(void)snprintf(asked, sizeof(asked), "%s", name);
	if (other != NULL) {
		cr_assert_eq(sscanf(other, "%255[^/]/%15s", asked,
		    asked_type), 2);
		type = type_of(asked_type);
	}
	buf_reset(out);
	put_u16(out, 0x1234);
	put_u16(out, flags);
	put_u16(out, (unsigned long)number_of(words, "qd=", 1));
	put_u16(out, 0);
	put_u16(out, 0);
	put_u16(out, 0);
	put_name(out, asked);
	put_u16(out, type);
	put_u16(out, 1);
	n = row != NULL ? put_answers(out, row->records) : 0;
	n = (unsigned long)number_of(words, "an=", (long)n);
	out->p[6] = (uint8_t)(n >> 8);
	out->p[7] = (uint8_t)n;
	for (long i = number_of(words, "junk=", 0); i > 0; i--)
		buf_add_byte(out, 0xff);
	cr_assert(!buf_failed(out));
	out->n -= cut < out->n ? cut : out->n;
}
