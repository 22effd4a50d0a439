/*
 * Room is counted in bytes of log that can still be written: spares, the rest
 * of the segment, and what the disk has beyond that kept for the index; less
 * two whole segments and the open group.  Figures of a disk that others use
 * too are a forecast, so near its end only spares that exist count (I-06).
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

/* Dirty rows are paid for here, before their check-point needs the pages. */
static enum err
look(struct store *s, uint64_t *total)
{
	uint64_t kept = s->space.index_room + s->overlay.dirty * ROW_BYTES;
	uint64_t available;

	if (s->io->room(s->io->ctx, s->dir_fd, &available, total) != 0)
		return ERR_IO;
	s->space.left = available;
	s->space.available = available > kept ? available - kept : 0;
	return OK;
}

/* Looks twice: the first look says how much is kept for the index. */
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
	return look(s, &total);
}

/* Bytes of log that can still be written, the reserve taken off. */
static uint64_t
beyond_reserve(const struct store *s)
{
	const struct store_segment *seg = s->log.segment;
	uint64_t reserve = STORE_SPARES * s->spares.segment_bytes;
	uint64_t room = s->spares.bytes;

	if (!s->spares.is_barren)	/* inodes, a quota, an error */
		room += s->space.available;
	if (seg != NULL && seg->bytes > s->log.end.offset)
		room += seg->bytes - s->log.end.offset;
	if (s->log.open != NULL)
		reserve += s->log.open->bytes.n;
	return room > reserve ? room - reserve : 0;
}

bool
store_room_is_scarce(const struct store *s)
{
	return s->space.available <
	    2 * STORE_SPARES * s->spares.segment_bytes;
}

uint64_t
store_room_for_log(const struct store *s)
{
	uint64_t kept = s->space.index_room / 2;

	return s->space.left > kept ? s->space.left - kept : 0;
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
		if (look(s, &total) != OK)
			s->space.available = s->space.left = 0;
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

struct store_room
store_room(const struct store *s)
{
	return s->space.told;
}
