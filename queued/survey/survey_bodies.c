#include "queued/store/store_body_file.h"
#include "queued/store/store_segment.h"
#include "queued/survey/survey_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A piece at a time, for a body may be larger than memory. */
enum { PIECE_BYTES = 4 << 20 };

/* One of those whose file it is: a message, a list, a list's parts. */
static bool
has_owner(struct survey *s, uint64_t file)
{
	bool has = survey_has_message(s, file);

	for (uint64_t n = 1; !has && n <= STORE_LIST_PARTS; n++)
		has = survey_has_message(s, file + n);
	return has;
}

/* On line the file goes when the last verdict is synced, the row a second or
 * so later. */
static bool
has_gone(struct survey *s, uint64_t id)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	char name[STORE_SEGMENT_NAME];

	(void)snprintf(name, sizeof(name), "body.%016" PRIx64, id);
	for (int i = 0; s->spool->is_live && i < 50 &&
	    faccessat(s->body_fd, name, F_OK, 0) != 0; i++) {
		if (!has_owner(s, id))
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

/* Where the table alone is damaged, this verifies all bytes. */
static enum err
tell_damage(struct survey *s, struct store_body_place *place, uint64_t from)
{
	struct survey_place at = { .id = place->id };
	uint64_t left = place->bytes - from;
	enum err e;

	place->remakes_table = true;
	buf_reset(&s->scratch);
	e = store_body_file_read(place, from, PIECE_BYTES, &s->scratch);
	if (e == ERR_NOMEM)
		return e;
	if (e == OK)
		survey_damage(&s->report, at, "the sums of its body in a file "
		    "are damaged, but no byte of it is: salvage --mail saves "
		    "it");
	else
		survey_damage(&s->report, at, "its body in a file is damaged, "
		    "in the %ju bytes from %ju on", (uintmax_t)(left <
		    PIECE_BYTES ? left : PIECE_BYTES), (uintmax_t)from);
	return OK;
}

void
survey_read_body(struct survey *s, uint64_t id, uint64_t bytes, uint32_t sum)
{
	struct store_body_place place = { .io = &store_io_system,
	    .dir_fd = s->body_fd, .id = id, .bytes = bytes, .sum = sum };
	bool is_damaged = false;

	s->count.bodies++;
	for (uint64_t done = 0; done < bytes && !is_damaged &&
	    s->failure == OK; done += PIECE_BYTES) {
		enum err e;

		buf_reset(&s->scratch);
		e = store_body_file_read(&place, done, PIECE_BYTES,
		    &s->scratch);
		if (e == ERR_CORRUPT && has_gone(s, id))
			return;
		is_damaged = e == ERR_CORRUPT || e == ERR_IO;
		if (is_damaged)
			e = tell_damage(s, &place, done);
		if (e != OK)
			s->failure = e;
		survey_progress(&s->report, PIECE_BYTES);
	}
}

static void
look_at(struct survey *s, const char *name)
{
	struct survey_place at = { .id = 0 };

	if (!store_name_number(name, "body.", &at.id) ||
	    map_u64_get(&s->fresh_files, at.id) != NULL ||
	    has_owner(s, at.id))
		return;
	survey_note(&s->report, at, "a file with its body is there, but no "
	    "such message: the next start removes it");
}

/* On line some are on their way in. */
void
survey_list_bodies(struct survey *s)
{
	int fd = openat(s->body_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		look_at(s, entry->d_name);
	(void)closedir(dir);
}
