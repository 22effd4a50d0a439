/*
 * `queued --spool PATH VERB`: a spool that no mtad serves, from the command
 * line.  mtactl runs it for its spool verbs when there is nobody to ask.
 */
#ifndef MTAD_QUEUED_OFFLINE_H
#define MTAD_QUEUED_OFFLINE_H

/* Gives the exit code; queued(8) lists them. */
int offline_main(int argc, char **argv);

#endif
