/*
 * The bench's own struct proc.
 */
#ifndef MTAD_TESTS_QUEUED_BENCH_WORLD_H
#define MTAD_TESTS_QUEUED_BENCH_WORLD_H

#include "common/log/log.h"

struct bench;

struct proc {
	struct bench *b;
	struct log *log;
	uint32_t generation;
	bool is_drained;
};

#endif
