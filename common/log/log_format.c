/*
 * One line in one of three formats.  LOG_TEXT and LOG_POSTFIX are for people
 * and for the programs that read Postfix's log; LOG_JSON for the others.  The
 * fields are the same in all.
 *
 * Whatever was not written by us is escaped: control characters, backslashes,
 * bytes outside ASCII and what ends a value.  A line can't be forged by a HELO
 * name, nor a terminal be driven by one.
 */
#include "common/base/b32.h"
#include "common/base/mtime.h"
#include "common/base/text.h"
#include "common/log/log_impl.h"
#include "common/os/clock.h"

#include <time.h>

#define DIGITS_MAX	20
#define ROOM_MIN	8		/* for a value worth beginning */

/*
 * All writing goes through put(), which never passes the tail: a line always
 * has room for its end.
 */
static size_t
room(const struct log *l)
{
	const size_t end = LOG_LINE_MAX - LOG_TAIL_BYTES;

	return l->n < end ? end - l->n : 0;
}

/* All or nothing: half a key would be worse than none. */
static void
put(struct log *l, const char *s, size_t n)
{
	if (n > room(l)) {
		l->is_cut = true;
		return;
	}
	memcpy(l->line + l->n, s, n);
	l->n += n;
}

static void
put_str(struct log *l, const char *s)
{
	put(l, s, strlen(s));
}

/* By hand, for most fields are numbers. */
static size_t
format_u64(uint64_t v, char out[DIGITS_MAX])
{
	char digits[DIGITS_MAX];
	size_t at = DIGITS_MAX;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	memcpy(out, digits + at, DIGITS_MAX - at);
	return DIGITS_MAX - at;
}

static void
put_u64(struct log *l, uint64_t v)
{
	char digits[DIGITS_MAX];

	put(l, digits, format_u64(v, digits));
}

/* The date's text changes once a second; only then it is made anew. */
static void
update_date(struct log *l, int64_t second)
{
	time_t t = (time_t)second;
	char utc[MTIME_UTC_SIZE];
	struct tm tm;

	l->second = second;
	if (l->format == LOG_POSTFIX) {
		if (localtime_r(&t, &tm) == NULL)
			tm = (struct tm){ .tm_mday = 1 };
		l->date_n = strftime(l->date, sizeof(l->date),
		    "%b %e %H:%M:%S", &tm);
		return;
	}
	mtime_format_utc(second * MTIME_SECOND, utc);
	l->date_n = sizeof("2026-11-22T10:00:00") - 1;
	memcpy(l->date, utc, l->date_n);
}

/* Always the wall clock: lines of several processes are sorted by it. */
static void
put_time(struct log *l)
{
	const int64_t wall_ms = clock_wall_ms();
	const int64_t second = wall_ms / MTIME_SECOND;
	const unsigned ms = (unsigned)(wall_ms % MTIME_SECOND);
	const char fraction[] = {
		'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10),
		(char)('0' + ms % 10), 'Z',
	};

	if (second != l->second)
		update_date(l, second);
	put(l, l->date, l->date_n);
	if (l->format != LOG_POSTFIX)
		put(l, fraction, sizeof(fraction));
}

/* Events at the level of information don't say so, for nearly all are. */
static void
begin_text(struct log *l, const struct log_row *row)
{
	put_time(l);
	put_str(l, " ");
	put_str(l, l->process);
	put_str(l, "[");
	put_u64(l, l->pid);
	put_str(l, "] ");
	put_str(l, row->name);
	if (row->level <= LOG_LEVEL_WARNING)
		log_str(l, "level", log_level_name(row->level));
}

static void
begin_json(struct log *l, const struct log_row *row)
{
	put_str(l, "{\"time\":\"");
	put_time(l);
	put_str(l, "\"");
	log_str(l, "process", l->process);
	log_u64(l, "pid", l->pid);
	log_str(l, "event", row->name);
	log_str(l, "level", log_level_name(row->level));
}

/* As Postfix does: the queue id first, where there is one. */
static void
begin_postfix(struct log *l)
{
	put_time(l);
	put_str(l, " ");
	put_str(l, l->host);
	put_str(l, " mtad/");
	put_str(l, l->process);
	put_str(l, "[");
	put_u64(l, l->pid);
	put_str(l, "]: ");
	l->is_event_due = true;
}

void
log_format_begin(struct log *l)
{
	const struct log_row *row = &log_rows[l->id];

	l->n = 0;
	l->is_cut = false;
	l->is_event_due = false;
	switch (l->format) {
	case LOG_JSON:
		begin_json(l, row);
		break;
	case LOG_POSTFIX:
		begin_postfix(l);
		break;
	case LOG_TEXT:
	case LOG_FORMAT_COUNT:
		begin_text(l, row);
		break;
	}
}

/* LOG_POSTFIX only: the event's name comes before the first field, but behind
 * the queue id if that is the first. */
static void
put_event(struct log *l)
{
	if (!l->is_event_due)
		return;
	l->is_event_due = false;
	if (log_rows[l->id].level <= LOG_LEVEL_WARNING) {
		put_str(l, log_level_name(log_rows[l->id].level));
		put_str(l, ": ");
	}
	put_str(l, log_rows[l->id].name);
}

/* The tail has its own room, so that a line that was cut is still a line. */
void
log_format_end(struct log *l)
{
	static const char cut_json[] = ",\"cut\":true}\n";
	const char *tail;

	put_event(l);
	if (l->format == LOG_JSON)
		tail = l->is_cut ? cut_json : "}\n";
	else
		tail = l->is_cut ? " cut=yes\n" : "\n";
	_Static_assert(sizeof(cut_json) - 1 <= LOG_TAIL_BYTES, "too long");
	memcpy(l->line + l->n, tail, strlen(tail));
	l->n += strlen(tail);
}

/*
 * Fields.  begin_field() gives false, and nothing is written, when there is
 * no room for a key and the beginning of a value.
 */
static bool
begin_field(struct log *l, const char *key)
{
	put_event(l);
	if (room(l) < strlen(key) + 4 + ROOM_MIN) {
		l->is_cut = true;
		return false;
	}
	if (l->format == LOG_JSON) {
		put_str(l, ",\"");
		put_str(l, key);
		put_str(l, "\":");
	} else {
		put_str(l, l->format == LOG_POSTFIX ? ", " : " ");
		put_str(l, key);
		put_str(l, "=");
	}
	return true;
}

/* The characters of S, escaped, LIMIT at most; what is escaped is always the
 * same, so that any reader can undo it. */
static void
put_escaped(struct log *l, struct span s, const char *stress, size_t limit)
{
	size_t size = room(l) < limit ? room(l) : limit;

	if (size > LOG_VALUE_MAX)
		size = LOG_VALUE_MAX;
	l->n += text_escape(s, stress, l->line + l->n, size);
}

/* JSON wants a backslash twice. */
static void
put_json(struct log *l, struct span s)
{
	char text[LOG_VALUE_MAX];
	size_t limit = room(l) / 2 < sizeof(text) ? room(l) / 2 : sizeof(text);
	size_t n = text_escape(s, "\"", text, limit);

	l->line[l->n++] = '"';
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\\')
			l->line[l->n++] = '\\';
		l->line[l->n++] = text[i];
	}
	l->line[l->n++] = '"';
}

/* An empty value, or one with a blank or a quote. */
static bool
needs_quotes(struct span s)
{
	return s.n == 0 || span_find(s, ' ') < s.n || span_find(s, '"') < s.n;
}

void
log_text(struct log *l, const char *key, struct span s)
{
	if (!begin_field(l, key))
		return;
	if (l->format == LOG_JSON) {
		put_json(l, s);
		return;
	}
	if (!needs_quotes(s)) {
		put_escaped(l, s, NULL, SIZE_MAX);
		return;
	}
	l->line[l->n++] = '"';
	put_escaped(l, s, "\"", SIZE_MAX);
	l->line[l->n++] = '"';
}

void
log_str(struct log *l, const char *key, const char *s)
{
	log_text(l, key, span_str(s));
}

/* In angle brackets in the formats for people, as mail addresses are in the
 * dialogue: the null sender is <>. */
void
log_address(struct log *l, const char *key, struct span address)
{
	if (!begin_field(l, key))
		return;
	if (l->format == LOG_JSON) {
		put_json(l, address);
		return;
	}
	l->line[l->n++] = '<';
	put_escaped(l, address, " <>", SIZE_MAX);
	l->line[l->n++] = '>';
}

/* A number is never cut: a part of it would be another number. */
void
log_u64(struct log *l, const char *key, uint64_t v)
{
	char digits[DIGITS_MAX];
	size_t n = format_u64(v, digits);

	if (room(l) < n)
		l->is_cut = true;
	else if (begin_field(l, key))
		put(l, digits, n);
}

/* -(uint64_t)v is right for the smallest number, too. */
void
log_i64(struct log *l, const char *key, int64_t v)
{
	if (v >= 0)
		log_u64(l, key, (uint64_t)v);
	else if (begin_field(l, key)) {
		put_str(l, "-");
		put_u64(l, -(uint64_t)v);
	}
}

/* The first field of a line in Postfix's format stands in front of the
 * event. */
void
log_queue_id(struct log *l, const char *key, uint64_t id)
{
	char text[B32_LENGTH];

	b32_encode(id, text);
	if (l->is_event_due) {
		put(l, text, sizeof(text));
		put_str(l, ": ");
		put_event(l);
	} else {
		log_text(l, key, span_of(text, sizeof(text)));
	}
}

void
log_ip(struct log *l, const char *key, const struct ipaddr *ip)
{
	char text[IPADDR_TEXT_SIZE];
	size_t n = ipaddr_format(ip, text);

	log_text(l, key, span_of(text, n));
}

/* Seconds with three digits; JSON gets a number. */
void
log_ms(struct log *l, const char *key, int64_t ms)
{
	const uint64_t v = ms > 0 ? (uint64_t)ms : 0;
	const char fraction[] = {
		'.', (char)('0' + v / 100 % 10), (char)('0' + v / 10 % 10),
		(char)('0' + v % 10),
	};

	if (!begin_field(l, key))
		return;
	put_u64(l, v / 1000);
	put(l, fraction, sizeof(fraction));
	if (l->format != LOG_JSON)
		put_str(l, "s");
}
