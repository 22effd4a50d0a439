/*
 * What is different in a copy of a spool: it has a list of its files and no
 * index.  Each file must be there as long as it was, the log must end where
 * the list says, and a message lives whose recipients are not all settled by
 * what the log says after it: of those the bodies are read.
 */
#include "queued/survey/survey_check.h"

#include "common/base/hex.h"
#include "common/base/mtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- its list ---- */

static void
check_file(struct survey *s, const struct survey_file *f)
{
	struct survey_place at = { 0 };
	struct stat st;

	if (fstatat(s->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		survey_damage(&s->report, at, "the file %s is missing",
		    f->name);
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->bytes)
		survey_damage(&s->report, at, "the file %s should have %ju "
		    "bytes and has %ju", f->name, (uintmax_t)f->bytes,
		    (uintmax_t)st.st_size);
}

/* A spool that is none is not asked for its list: it may have no such file. */
enum err
survey_open_copy(struct survey *s, struct why *why)
{
	struct why ignored = { .text = "" };
	enum err e = survey_manifest_read(s->dir_fd, &s->manifest, &ignored);

	if (e == ERR_NOT_FOUND)
		return s->spool->is_sealing ? why_set(why, e,
		    "%s: there is no backup", s->spool->path) : OK;
	s->is_copy = true;
	if (e != OK && e != ERR_CORRUPT)
		return why_set(why, e, "%s", ignored.text);
	if (e == ERR_CORRUPT)
		survey_damage(&s->report, (struct survey_place){ 0 }, "%s",
		    ignored.text);
	else if (!s->manifest.is_complete && !s->spool->is_sealing)
		survey_damage(&s->report, (struct survey_place){ 0 },
		    "this backup is not complete: it was not brought to its "
		    "end");
	for (size_t i = 0; i < s->manifest.n; i++)
		check_file(s, &s->manifest.files[i]);
	return OK;
}

/* ---- its messages ---- */

/* FILE is called after a list for its parts, too. */
static void
note_body(struct survey *s, uint64_t id, uint64_t file,
    const struct store_record_message *m)
{
	struct survey_body *b;
	enum err e;

	if (map_u64_get(&s->bodies, id) != NULL)
		return;
	if ((b = malloc(sizeof(*b))) == NULL) {
		s->failure = ERR_NOMEM;
		return;
	}
	*b = (struct survey_body){ .id = file, .sum = m->file_crc,
	    .bytes = m->list.bytes + m->body_bytes };
	if ((e = map_u64_add(&s->bodies, id, b)) != OK) {
		s->failure = e;
		free(b);
	}
}

/* A record that is newer says where the body is now: in the same file. */
void
survey_note_body(struct survey *s, uint64_t id,
    const struct store_record_message *m)
{
	uint64_t file = m->list.id != 0 ? m->list.id : id;

	if (!m->is_file)
		return;
	note_body(s, file, file, m);
	note_body(s, id, file, m);
}

/* Once, however many messages share it. */
static void
read_body_of(struct survey *s, uint64_t id)
{
	struct survey_body *b = map_u64_get(&s->bodies, id);

	if (b != NULL)
		b = map_u64_get(&s->bodies, b->id);
	if (b == NULL || b->is_read)
		return;
	b->is_read = true;
	survey_read_body(s, b->id, b->bytes, b->sum);
}

void
survey_note_lost(struct survey *s, uint64_t after, uint64_t before)
{
	enum err e = OK;

	/* those that a complete one knows were noted when it was made */
	if (s->is_copy && !s->manifest.is_complete)
		e = survey_manifest_add_lost(&s->manifest, after, before);
	if (e != OK)
		s->failure = e;
}

static void
check_end(struct survey *s)
{
	const struct store_position *end = &s->manifest.end;
	uint64_t found = s->log.at.sequence;

	if (end->segment != 0 && found != end->sequence)
		survey_damage(&s->report, (struct survey_place){
		    .segment = end->segment, .offset = end->offset },
		    "the log should end here with group %ju, and ends with "
		    "%ju", (uintmax_t)end->sequence, (uintmax_t)found);
}

void
survey_count_copy(struct survey *s)
{
	size_t cursor = 0;
	void *left;
	uint64_t id;

	check_end(s);
	while ((left = map_u64_next_key(&s->waiting, &cursor, &id)) != NULL &&
	    s->failure == OK) {
		s->count.messages++;
		s->count.recipients += (uint64_t)(uintptr_t)left;
		read_body_of(s, id);
	}
}

/* ---- its end ---- */

enum err
survey_seal_copy(struct survey *s, struct why *why)
{
	struct survey_manifest *m = &s->manifest;
	enum err e;

	if (m->is_complete)
		return OK;
	if (m->end.segment == 0)
		m->end = s->log.at;
	m->damages = s->report.damages;
	if ((e = survey_manifest_finish(s->dir_fd, m)) != OK)
		return why_set(why, e, "file `" SURVEY_MANIFEST "' can't be "
		    "written: %s", e == ERR_IO ? strerror(errno) :
		    err_text(e));
	m->is_complete = true;
	return OK;
}

void
survey_clear_copy(struct survey *s)
{
	struct survey_body *b;
	size_t cursor = 0;

	while ((b = map_u64_next(&s->bodies, &cursor)) != NULL)
		free(b);
	map_u64_clear(&s->bodies);
	survey_manifest_clear(&s->manifest);
}

/* ---- in words ---- */

static void
put_uuid(const struct survey *s, struct buf *out)
{
	hex_encode(out, span_of(s->manifest.uuid, sizeof(s->manifest.uuid)));
	buf_add_byte(out, '\0');
}

void
survey_print_copy(struct survey *s)
{
	const struct survey_manifest *m = &s->manifest;
	char at[MTIME_UTC_SIZE];
	struct buf uuid;

	buf_init(&uuid, 64);
	put_uuid(s, &uuid);
	mtime_format_utc((int64_t)m->at, at);
	survey_say(&s->report, "queue: %ju messages for %ju recipients; %ju "
	    "bodies in files\n%s%s of spool %s as it was at %s, up to group "
	    "%ju\n", (uintmax_t)s->count.messages,
	    (uintmax_t)s->count.recipients, (uintmax_t)s->count.bodies,
	    m->is_complete ? "" : "NOT COMPLETE: ",
	    m->is_salvage ? "what could be saved" : "backup",
	    buf_failed(&uuid) ? "" : (const char *)uuid.p, at,
	    (uintmax_t)m->end.sequence);
	buf_clear(&uuid);
}

/* "copy":{…} */
void
survey_put_copy(struct survey *s, struct json *j)
{
	const struct survey_manifest *m = &s->manifest;
	char at[MTIME_UTC_SIZE];
	struct buf uuid;

	buf_init(&uuid, 64);
	put_uuid(s, &uuid);
	mtime_format_utc((int64_t)m->at, at);
	json_key(j, "copy");
	json_object(j);
	json_key(j, "kind");
	json_str(j, m->is_salvage ? "salvage" : "backup");
	json_key(j, "is_complete");
	json_bool(j, m->is_complete);
	json_key(j, "uuid");
	json_str(j, buf_failed(&uuid) ? "" : (const char *)uuid.p);
	json_key(j, "at");
	json_str(j, at);
	json_key(j, "group");
	json_u64(j, m->end.sequence);
	json_key(j, "files");
	json_u64(j, m->n);
	json_object_end(j);
	buf_clear(&uuid);
}
