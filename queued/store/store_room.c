/*
 * Room is counted in bytes of log that can still be written: spares, the rest
 * of the segment, and what the disk has beyond that kept for the index; less
 * two whole segments and the open group.  Figures of a disk that others use
 * too are a forecast, so near its end only spares that exist count (I-06).
 * Spares being made are paid for when they are begun: many seconds of mail fit
 * between two looks.
 */
#include "queued/store/store_room.h"

#include "queued/store/store_private.h"

#define LOOK_MS		200
#define OPEN_MAX	((size_t)16 << 20)	/* bytes that wait: pause */
#define INDEX_ROOM_MAX	((uint64_t)16 << 20)

/* What a changed row may cost the index, its pages being copied on write. */
#define ROW_BYTES	((uint64_t)1024)

/* A segment is a sixteenth, unless somebody says otherwise: two spares and the
 * one being written leave most of a small disk to mail that waits. */
enum { SHARE_OF_DISK = 16, INDEX_SHARE = 16, BLOCK = 4096 };

static enum err
look(struct store *s, uint64_t *total)
{
	if (s->io->room(s->io->ctx, s->dir_fd, &s->space.free, total) != 0) {
		s->space.free = 0;
		return ERR_IO;
	}
	return OK;
}

static uint64_t
less(uint64_t bytes, uint64_t kept)
{
	return bytes > kept ? bytes - kept : 0;
}

uint64_t
store_room_left(const struct store *s)
{
	return less(s->space.free, s->spares.new_bytes);
}

/* Rows that wait, frozen ones too, are paid for before their check-point needs
 * the pages. */
uint64_t
store_room_available(const struct store *s)
{
	size_t rows = s->overlay.dirty + s->overlay.frozen;

	return less(store_room_left(s),
	    s->space.index_room + rows * ROW_BYTES);
}

enum err
store_room_init(struct store *s, uint64_t wanted, uint64_t *segment_bytes)
{
	uint64_t total, bytes;

	if (look(s, &total) != OK)
		return ERR_IO;
	s->space.index_room = total / INDEX_SHARE < INDEX_ROOM_MAX ?
	    total / INDEX_SHARE : INDEX_ROOM_MAX;
	bytes = wanted != 0 ? wanted : total / SHARE_OF_DISK;
	if (bytes > STORE_SEGMENT_MAX)
		bytes = STORE_SEGMENT_MAX;
	if (bytes < STORE_SEGMENT_MIN)
		bytes = STORE_SEGMENT_MIN;
	*segment_bytes = bytes / BLOCK * BLOCK;
	return OK;
}

/* Bytes of log that can still be written, the reserve taken off. */
static uint64_t
beyond_reserve(const struct store *s)
{
	const struct store_segment *seg = s->log.segment;
	uint64_t reserve = STORE_SPARES * s->spares.segment_bytes;
	uint64_t room = s->spares.bytes;

	if (!s->spares.is_barren)	/* inodes, a quota, an error */
		room += store_room_available(s);
	if (seg != NULL && seg->bytes > s->log.end.offset)
		room += seg->bytes - s->log.end.offset;
	if (s->log.open != NULL)
		reserve += s->log.open->bytes.n;
	return less(room, reserve);
}

bool
store_room_is_scarce(const struct store *s)
{
	return store_room_available(s) <
	    2 * STORE_SPARES * s->spares.segment_bytes;
}

uint64_t
store_room_for_log(const struct store *s)
{
	return less(store_room_left(s),
	    s->space.index_room / 2 + s->overlay.frozen * ROW_BYTES);
}

/* Whether the reserve is there or sure to come: on a disk that is nearly full
 * only files count, for free blocks may go to others. */
static bool
has_spares(const struct store *s)
{
	return s->spares.bytes + s->spares.making_bytes >=
	    STORE_SPARES * s->spares.segment_bytes || !store_room_is_scarce(s);
}

/* Tells only when an answer changes; a look that fails is no room at all. */
void
store_room_turn(struct store *s, int64_t now_ms)
{
	struct store_room *told = &s->space.told, room;
	uint64_t total, step = s->spares.segment_bytes / 4;

	if (now_ms - s->space.looked_at_ms >= LOOK_MS) {
		(void)look(s, &total);
		s->space.looked_at_ms = now_ms;
	}
	room.bytes = beyond_reserve(s);
	/* once closed it opens later, so that it does not flutter */
	room.is_accepting = !s->is_dead && !store_log_is_stuck(&s->log) &&
	    has_spares(s) &&
	    room.bytes > (told->is_accepting ? step : 2 * step);
	room.is_pausing = s->log.is_waiting ||
	    s->log.open->bytes.n > OPEN_MAX ||
	    store_overlay_is_lagging(&s->overlay);
	if (room.is_accepting == told->is_accepting &&
	    room.is_pausing == told->is_pausing) {
		told->bytes = room.bytes;
		return;
	}
	*told = room;
	store_compact_ask(&s->compact);
	s->ops.on_room(s->ctx);
}

void
store_room_look_soon(struct store *s)
{
	s->space.looked_at_ms = INT64_MIN / 2;
}

struct store_room
store_room(const struct store *s)
{
	return s->space.told;
}
