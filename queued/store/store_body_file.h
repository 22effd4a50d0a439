/*
 * The file of a large body: its bytes, then a table with the CRC-32C of each
 * block of STORE_BODY_BLOCK bytes, then a tail with the sum of the table.
 *
 * The message record holds that last sum, so any part can be verified by
 * itself.  docs/SPOOL.md has every byte.
 */
#ifndef MTAD_QUEUED_STORE_STORE_BODY_FILE_H
#define MTAD_QUEUED_STORE_STORE_BODY_FILE_H

#include "common/base/buf.h"
#include "queued/store/store_io.h"

struct store_body_file {
	const struct store_io *io;
	int dir_fd;
	int fd;			/* -1: not open */
	uint64_t id;
	uint64_t bytes;
	uint32_t block_crc;	/* of the block that is not full yet */
	struct buf table;
	uint32_t sum;		/* once finished */
};

void store_body_file_init(struct store_body_file *f);
void store_body_file_clear(struct store_body_file *f);

enum err store_body_file_create(struct store_body_file *f,
    const struct store_io *io, int dir_fd, uint64_t id);
enum err store_body_file_add(struct store_body_file *f, struct span bytes);

/* Writes the table, syncs file and directory, closes. */
enum err store_body_file_finish(struct store_body_file *f);

enum err store_body_file_remove(const struct store_io *io, int dir_fd,
    uint64_t id);

/* A body as its record has it. */
struct store_body_place {
	const struct store_io *io;
	int dir_fd;
	uint64_t id;		/* of the file */
	uint64_t bytes;
	uint32_t sum;
	bool remakes_table;	/* from all the bytes, if it is damaged */
};

/* Appends at most N bytes of it from OFFSET on.  ERR_CORRUPT, ERR_IO,
 * ERR_NOMEM.  With a table made anew it took a look at the whole of it. */
enum err store_body_file_read(const struct store_body_place *place,
    uint64_t offset, size_t n, struct buf *out);

#endif
