#include "queued/survey/survey_stats.h"

#include "common/base/json.h"
#include "common/base/units.h"
#include "common/mail/queue_id.h"
#include "queued/store/store_identity.h"
#include "queued/store/store_row.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, FORMAT = 1 };

void
survey_stats_clear(struct survey_stats *s)
{
	free(s->segments);
	s->segments = NULL;
}

enum err
survey_stats_live(struct store *store, struct survey_stats *out)
{
	struct survey_stats s = { .is_live = true };
	enum err e = store_stats(store, &s.all);

	if (e != OK)
		return e;
	s.segments = calloc(s.all.segments + 1, sizeof(*s.segments));
	if (s.segments == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < s.all.segments; i++)
		store_stats_segment(store, i, &s.segments[i]);
	*out = s;
	return OK;
}

/* ---- at rest ---- */

/* Files below NAME called PREFIX and a number: how many, and their bytes. */
static void
count_files(int dir_fd, const char *name, const char *prefix, uint64_t *n,
    uint64_t *bytes)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	uint64_t number;
	struct stat st;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (!store_name_number(entry->d_name, prefix, &number) ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		(*n)++;
		*bytes += (uint64_t)st.st_size;
	}
	(void)closedir(dir);
}

static void
read_segment(struct store_index *x, int log_fd,
    struct store_stats_segment *out)
{
	struct store_row_key key = store_row_key_message(out->number);
	struct span k = span_of(key.p, key.n), value;
	struct store_segment row = { .number = out->number };
	char name[STORE_SEGMENT_NAME];
	struct stat st;

	store_segment_name(out->number, name);
	if (fstatat(log_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		out->bytes = (uint64_t)st.st_size;
	if (x == NULL || store_index_get(x, STORE_TABLE_SEGMENT, k,
	    &value) != OK || store_row_get_segment(k, value, &row) != OK)
		return;
	out->messages = row.messages;
	out->live_bytes = row.live_bytes;
	out->is_needed = row.settles.n > 0;
	store_numbers_clear(&row.settles);
}

static enum err
read_segments(struct store_index *x, int log_fd, struct survey_stats *s)
{
	struct store_numbers numbers = { .p = NULL };
	enum err e = store_segments_list(log_fd, &numbers);

	if (e == OK) {
		s->segments = calloc(numbers.n + 1, sizeof(*s->segments));
		e = s->segments == NULL ? ERR_NOMEM : OK;
	}
	for (size_t i = 0; i < numbers.n && e == OK; i++) {
		struct store_stats_segment *seg = &s->segments[i];

		seg->number = numbers.p[i];
		seg->is_written = i + 1 == numbers.n;
		read_segment(x, log_fd, seg);
		s->all.live_bytes += seg->live_bytes;
		if (seg->bytes > s->all.segment_bytes)
			s->all.segment_bytes = seg->bytes;
		s->all.segments = i + 1;
	}
	store_numbers_clear(&numbers);
	return e;
}

/* What can't be read of an index is left out: the check says why. */
static void
read_meta(struct store_index *x, struct survey_stats *s)
{
	struct span key = store_index_meta_key(), value;
	struct store_meta meta;

	if (store_index_get(x, STORE_TABLE_META, key, &value) != OK ||
	    store_row_get_meta(key, value, &meta) != OK)
		return;
	s->all.start = meta.start;
	s->all.messages = meta.count.messages;
	s->all.recipients = meta.count.recipients;
}

static enum err
read_all(const char *path, int dir_fd, int log_fd, struct survey_stats *s)
{
	char name[PATH_BYTES];
	struct store_index *x = NULL;
	enum err e;

	(void)snprintf(name, sizeof(name), "%s/index", path);
	if (store_index_open_to_read(name, false, &x, NULL) == OK &&
	    store_index_size(x, &s->all.index) == OK &&
	    store_index_begin(x) == OK)
		read_meta(x, s);
	e = read_segments(x, log_fd, s);
	store_index_close(&x);
	count_files(dir_fd, "log", "spare.", &s->all.spares,
	    &s->all.spare_bytes);
	count_files(dir_fd, "body", "body.", &s->all.bodies,
	    &s->all.body_bytes);
	return e;
}

enum err
survey_stats_at_rest(const char *path, struct survey_stats *out,
    struct why *why)
{
	struct survey_stats s = { .is_live = false };
	int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int log_fd = dir_fd < 0 ? -1 : openat(dir_fd, "log", O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC);
	enum err e;

	if (log_fd < 0)
		e = why_set(why, ERR_IO, "%s: not a spool: %s", path,
		    strerror(errno));
	else if ((e = store_identity_read(dir_fd, s.all.uuid, why)) == OK &&
	    (e = read_all(path, dir_fd, log_fd, &s)) != OK)
		e = why_set(why, e, "%s: %s", path, err_text(e));
	if (log_fd >= 0)
		(void)close(log_fd);
	if (dir_fd >= 0)
		(void)close(dir_fd);
	if (e == OK)
		*out = s;
	else
		survey_stats_clear(&s);
	return e;
}

/* ---- printing ---- */

static void
format_uuid(const struct survey_stats *s, char out[33])
{
	for (size_t i = 0; i < sizeof(s->all.uuid); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", s->all.uuid[i]);
}

static const char *
state_of(const struct store_stats_segment *seg)
{
	return seg->is_written ? "written" : seg->is_going ? "going" :
	    seg->messages > 0 ? "live" : seg->is_needed ? "needed" : "dead";
}

static uint64_t
log_bytes(const struct survey_stats *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->all.segments; i++)
		n += s->segments[i].bytes;
	return n;
}

static void
put(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

static void
json_segment(struct json *j, const struct store_stats_segment *seg)
{
	json_object(j);
	put(j, "number", seg->number);
	put(j, "bytes", seg->bytes);
	if (seg->used_bytes > 0)
		put(j, "used_bytes", seg->used_bytes);
	put(j, "live_bytes", seg->live_bytes);
	put(j, "messages", seg->messages);
	json_key(j, "state");
	json_str(j, state_of(seg));
	json_object_end(j);
}

static void
json_figures(struct json *j, const struct store_stats *a, uint64_t bytes)
{
	char id[QUEUE_ID_SIZE];

	put(j, "start", a->start);
	if (a->next_id != 0) {
		queue_id_format(a->next_id, id);
		json_key(j, "next_id");
		json_str(j, id);
	}
	put(j, "messages", a->messages);
	put(j, "recipients", a->recipients);
	put(j, "log_bytes", bytes);
	put(j, "live_bytes", a->live_bytes);
	put(j, "segment_bytes", a->segment_bytes);
	put(j, "spares", a->spares);
	put(j, "spare_bytes", a->spare_bytes);
	put(j, "bodies", a->bodies);
	put(j, "body_bytes", a->body_bytes);
	put(j, "index_bytes", a->index.file_bytes);
	put(j, "index_used_bytes", a->index.used_bytes);
	put(j, "index_free_bytes", a->index.free_bytes);
}

static void
print_json(const struct survey_stats *s, struct buf *out)
{
	const struct store_stats *a = &s->all;
	char uuid[33];
	struct json j;

	format_uuid(s, uuid);
	json_init(&j, out);
	json_object(&j);
	put(&j, "v", 1);
	put(&j, "format", FORMAT);
	json_key(&j, "uuid");
	json_str(&j, uuid);
	json_figures(&j, a, log_bytes(s));
	if (s->is_live) {
		put(&j, "index_lag_bytes", a->index_lag_bytes);
		put(&j, "room_bytes", a->room_bytes);
		json_key(&j, "is_accepting");
		json_bool(&j, a->is_accepting);
	}
	json_key(&j, "segments");
	json_array(&j);
	for (size_t i = 0; i < a->segments; i++)
		json_segment(&j, &s->segments[i]);
	json_array_end(&j);
	json_object_end(&j);
	buf_add_byte(out, '\n');
}

struct glance {
	char text[UNITS_TEXT_SIZE];
};

static struct glance
size(uint64_t bytes)
{
	struct glance g;

	(void)units_glance_bytes(bytes, g.text);
	return g;
}

static void
print_segments(const struct survey_stats *s, struct buf *out)
{
	buf_addf(out, "\n%16s %10s %10s %10s %10s  %s\n", "SEGMENT", "BYTES",
	    "LIVE", "DEAD", "MESSAGES", "STATE");
	for (size_t i = 0; i < s->all.segments; i++) {
		const struct store_stats_segment *seg = &s->segments[i];
		uint64_t used = seg->used_bytes > 0 ? seg->used_bytes :
		    seg->bytes;

		buf_addf(out, "%16" PRIu64 " %10s %10s %10s %10" PRIu64
		    "  %s\n", seg->number, size(seg->bytes).text,
		    size(seg->live_bytes).text,
		    size(used > seg->live_bytes ? used - seg->live_bytes :
		    0).text, seg->messages, state_of(seg));
	}
}

static void
print_text(const struct survey_stats *s, struct buf *out)
{
	const struct store_stats *a = &s->all;
	char uuid[33], id[QUEUE_ID_SIZE];

	format_uuid(s, uuid);
	buf_addf(out, "spool     %s, format %d, start %" PRIu64 "\n", uuid,
	    FORMAT, a->start);
	if (a->next_id != 0) {
		queue_id_format(a->next_id, id);
		buf_addf(out, "next id   %s\n", id);
	}
	buf_addf(out, "queue     %" PRIu64 " messages for %" PRIu64
	    " recipients\n", a->messages, a->recipients);
	buf_addf(out, "log       %s in %zu segments, %s of it live\n",
	    size(log_bytes(s)).text, a->segments, size(a->live_bytes).text);
	buf_addf(out, "spares    %" PRIu64 ", %s\n", a->spares,
	    size(a->spare_bytes).text);
	buf_addf(out, "bodies    %" PRIu64 " in files, %s\n", a->bodies,
	    size(a->body_bytes).text);
	buf_addf(out, "index     %s, %s used, %s to be used again",
	    size(a->index.file_bytes).text, size(a->index.used_bytes).text,
	    size(a->index.free_bytes).text);
	if (s->is_live)
		buf_addf(out, ", %s behind the log\nroom      %s%s%s",
		    size(a->index_lag_bytes).text, size(a->room_bytes).text,
		    a->is_accepting ? "" : ", no mail is taken",
		    a->is_pinned ? ", nothing is removed now" : "");
	buf_add_byte(out, '\n');
	print_segments(s, out);
}

void
survey_stats_print(const struct survey_stats *s, bool is_json,
    struct buf *out)
{
	if (is_json)
		print_json(s, out);
	else
		print_text(s, out);
}
