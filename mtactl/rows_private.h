/*
 * Small parts that the list and the single message share (rows_*.c only).
 */
#ifndef MTAD_MTACTL_ROWS_PRIVATE_H
#define MTAD_MTACTL_ROWS_PRIVATE_H

#include "common/base/b32.h"
#include "mtactl/rows.h"

/* "deferred"; a number that nobody knows is shown as such. */
const char *rows_state_name(uint8_t state);
enum output_colour rows_state_colour(uint8_t state);

/* Not delivered, failed or deleted. */
bool rows_is_open(const struct msg_ctl_recipient *r);

/* How long until AT: "now" when that is over, "-" for never. */
void rows_put_until(struct rows *r, uint64_t at, int width);

/* "<>" for the null sender. */
void rows_put_sender(struct output *o, struct span sender);

/* "451 4.7.1 come back later (mx.example.net)", if there is a reason. */
bool rows_has_reason(const struct msg_ctl_recipient *r);
void rows_put_reason(struct output *o, const struct msg_ctl_recipient *r);

/* The members that every JSON message has, up to the open object. */
void rows_json_message(struct rows *r, const struct msg_ctl_row *row);
void rows_json_close(struct rows *r);

#endif
