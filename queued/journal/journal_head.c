/*
 * Both heads begin alike: eight bytes that say what it is, the sum of the
 * rest, the version.
 */
#include "queued/journal/journal_head.h"

#include "common/base/crc32c.h"
#include "common/base/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAGIC_BYTES = 8, SUM_AT = MAGIC_BYTES, SUMMED_AT = 12, VERSION = 1 };

static const char file_magic[] = "MTADHIS\n";
static const char index_magic[] = "MTADHIX\n";

static size_t
begin(struct buf *out, const char *magic)
{
	size_t at = out->n;

	buf_add(out, magic, MAGIC_BYTES);
	wire_put_u32(out, 0);
	wire_put_u32(out, VERSION);
	return at;
}

/* Zeros up to the end of the head. */
static void
end(struct buf *out, size_t at)
{
	while (!out->is_failed && out->n < at + JOURNAL_FILE_HEAD)
		buf_add_byte(out, 0);
	if (!out->is_failed)
		wire_patch_u32(out, at + SUM_AT, crc32c(0,
		    out->p + at + SUMMED_AT, JOURNAL_FILE_HEAD - SUMMED_AT));
}

/* W is behind the version. */
static enum err
check(struct span bytes, const char *magic, struct wire *w)
{
	uint32_t sum;

	if (bytes.n < JOURNAL_FILE_HEAD ||
	    memcmp(bytes.p, magic, MAGIC_BYTES) != 0)
		return ERR_CORRUPT;
	wire_init(w, span_from(bytes, SUM_AT));
	sum = wire_u32(w);
	if (crc32c(0, bytes.p + SUMMED_AT,
	    JOURNAL_FILE_HEAD - SUMMED_AT) != sum)
		return ERR_CORRUPT;
	return wire_u32(w) == VERSION ? OK : ERR_VERSION;
}

void
journal_head_put(struct buf *out, const struct journal_head *h)
{
	size_t at = begin(out, file_magic);

	wire_put_u64(out, h->number);
	wire_put_u64(out, h->begun_at);
	buf_add(out, h->uuid, sizeof(h->uuid));
	wire_put_u64(out, h->group);
	wire_put_u64(out, h->previous);
	end(out, at);
}

enum err
journal_head_get(struct span bytes, struct journal_head *out)
{
	struct wire w;
	enum err e = check(bytes, file_magic, &w);

	if (e != OK)
		return e;
	out->number = wire_u64(&w);
	out->begun_at = wire_u64(&w);
	memcpy(out->uuid, wire_raw(&w, sizeof(out->uuid)).p,
	    sizeof(out->uuid));
	out->group = wire_u64(&w);
	out->previous = wire_u64(&w);
	return OK;
}

void
journal_index_head_put(struct buf *out, const struct journal_index_head *h)
{
	size_t at = begin(out, index_magic);

	wire_put_u64(out, h->number);
	wire_put_u64(out, h->valid);
	wire_put_u64(out, h->low);
	wire_put_u64(out, h->high);
	wire_put_u32(out, h->count);
	wire_put_u32(out, h->sum);
	end(out, at);
}

enum err
journal_index_head_get(struct span bytes, struct journal_index_head *out)
{
	struct wire w;
	enum err e = check(bytes, index_magic, &w);

	if (e != OK)
		return e;
	out->number = wire_u64(&w);
	out->valid = wire_u64(&w);
	out->low = wire_u64(&w);
	out->high = wire_u64(&w);
	out->count = wire_u32(&w);
	out->sum = wire_u32(&w);
	return OK;
}

void
journal_entry_put(struct buf *out, const struct journal_entry *e)
{
	wire_put_u64(out, e->id);
	wire_put_u32(out, e->offset);
}

struct journal_entry
journal_entry_get(const uint8_t bytes[JOURNAL_ENTRY])
{
	struct journal_entry e;
	struct wire w;

	wire_init(&w, span_of(bytes, JOURNAL_ENTRY));
	e.id = wire_u64(&w);
	e.offset = wire_u32(&w);
	return e;
}

void
journal_name(uint64_t number, const char *ending, char out[JOURNAL_NAME_SIZE])
{
	(void)snprintf(out, JOURNAL_NAME_SIZE, "%016" PRIx64 ".%.3s", number,
	    ending);
}

bool
journal_name_number(const char *name, uint64_t *out)
{
	char again[JOURNAL_NAME_SIZE];
	uint64_t number;

	if (sscanf(name, "%16" SCNx64, &number) != 1)
		return false;
	journal_name(number, "log", again);
	if (strcmp(again, name) != 0)
		return false;
	*out = number;
	return true;
}

bool
journal_name_is_one(const char *name)
{
	char log[JOURNAL_NAME_SIZE];
	size_t n = strlen(name);
	uint64_t number;

	if (n + 1 != sizeof(log))
		return false;
	memcpy(log, name, sizeof(log));
	if (strcmp(log + n - 4, ".idx") == 0)
		memcpy(log + n - 4, ".log", 4);
	return journal_name_number(log, &number);
}
