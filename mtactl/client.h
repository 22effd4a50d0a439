/*
 * mtactl's question to queued: one request, its answer message by message.
 *
 * What goes wrong is printed where it happens; the functions give exit codes.
 */
#ifndef MTAD_MTACTL_CLIENT_H
#define MTAD_MTACTL_CLIENT_H

#include "common/ipc/messages.h"
#include "mtactl/mtactl.h"

struct client;

/* Finds the control socket by --socket or the configuration and connects.
 * MTACTL_DONE, or the code to end with. */
int client_open(const struct mtactl *m, struct client **out);

/* The same without a word when nobody serves the socket: WHY has them. */
int client_try(const struct mtactl *m, struct client **out, struct why *why);
void client_close(struct client **c);

/* Each message of the answer but its end; it is borrowed for the call. */
typedef void client_on_msg(void *ctx, const struct msg *m);

/* That came with the message, for a client_on_msg: the caller's; -1. */
int client_take_fd(struct client *c);

/* Asks and waits for the end of the answer.  END's text is borrowed until the
 * next request.  MTACTL_DONE as soon as there is an answer, even a refusal. */
int client_ask(struct client *c, const struct msg *request,
    client_on_msg *on_msg, void *ctx, struct msg_ctl_end *end);

/* Prints why it was refused: the exit code for END, MTACTL_DONE if it wasn't. */
int client_result(const struct msg_ctl_end *end);

#endif
