/*
 * A dnsd for the bench: every name is its own exchanger's and at 127.0.0.1, but
 * gone.example, which is not there.
 */
#ifndef MTAD_TESTS_DELIVERD_NAMES_H
#define MTAD_TESTS_DELIVERD_NAMES_H

struct bench;

/* It comes, and goes. */
void names_open(struct bench *b);
void names_close(struct bench *b);

#endif
