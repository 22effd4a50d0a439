/*
 * keyd's half of a signature, as a thread; for tests.
 */
#ifndef MTAD_TESTS_SIGNER_THREAD_H
#define MTAD_TESTS_SIGNER_THREAD_H

#include "keyd/pairs.h"

/* Answers on FD, which it takes, until the other end is closed. */
void signer_thread_start(const struct pairs *pairs, int fd);
void signer_thread_join(void);

#endif
