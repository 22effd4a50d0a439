/*
 * A message of every type with every field filled, expanded from the list
 * itself, so that a new message is tested without a line of its own.
 */
#ifndef MTAD_TESTS_IPC_SAMPLE_H
#define MTAD_TESTS_IPC_SAMPLE_H

#include "common/ipc/messages.h"

struct sample {
	struct msg msg;
	struct buf lists[8];		/* memory of its lists */
	size_t list_count;
};

/* SEED varies numbers and lengths; 0 gives empty spans and lists.  False: no
 * message has this number. */
bool sample_make(unsigned number, unsigned seed, struct sample *out);
void sample_clear(struct sample *s);

#endif
