/*
 * A compiled selection: steps in postfix order, run on a stack of bits.
 * Shared by select.c (parsing) and select_match.c only.
 */
#ifndef MTAD_QUEUED_SELECT_SELECT_PRIVATE_H
#define MTAD_QUEUED_SELECT_SELECT_PRIVATE_H

#include "queued/select/select.h"

enum step_kind {
	STEP_ALL,
	STEP_ID, STEP_STATE, STEP_FROM, STEP_TO, STEP_DOMAIN,
	STEP_AGE, STEP_SIZE, STEP_TRIES,
	STEP_NOT, STEP_AND, STEP_OR,
};

enum step_test {
	TEST_EQUAL, TEST_LESS, TEST_LESS_EQUAL, TEST_MORE, TEST_MORE_EQUAL
};

struct step {
	uint8_t kind;			/* enum step_kind */
	uint8_t test;			/* enum step_test, of numbers */
	uint64_t number;		/* id, state, ms, bytes, tries */
	struct span text;		/* pattern, inside select.text */
};

struct select {
	struct step steps[SELECT_STEPS_MAX];
	size_t count;
	uint8_t text[SELECT_TEXT_MAX];
};

#endif
