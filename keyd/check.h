/*
 * `keyd --check`: looks at secrets for the parent, before any process is given
 * them.
 */
#ifndef MTAD_KEYD_CHECK_H
#define MTAD_KEYD_CHECK_H

/* Standard input has the fields of `tls_pairs`, `passwords`, `client_ca` and
 * `hop_pairs`, each behind their length (u32), standard output gets words for
 * people, one line each.
 * Returns the exit code: 0 when all can be used. */
int check_main(void);

#endif
