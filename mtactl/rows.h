/*
 * Queued messages as mtactl shows them: in a list, and whole.
 *
 * NOW is wall milliseconds since 1970.  A message is begun with its row, goes
 * on with further recipients as they come, and is ended; for people only the
 * first recipients of a list's row are named.
 */
#ifndef MTAD_MTACTL_ROWS_H
#define MTAD_MTACTL_ROWS_H

#include "common/ipc/messages.h"
#include "mtactl/output.h"

struct rows {
	struct output *o;
	uint64_t now;
	struct json json;		/* of the message that is open */
	bool is_open;
	bool has_head;			/* of a list for people: column names */
	bool has_list;			/* … of very many recipients: */
	struct msg_ctl_list list;	/* what comes with the next row */
	uint64_t count;
	uint64_t bytes;
};

void rows_init(struct rows *r, struct output *o, uint64_t now);

/* A list: one line, or one JSON object, for each message. */
void rows_list(struct rows *r, const struct msg_ctl_row *row);
void rows_list_end(struct rows *r);

/* One message, whole: its row, more recipients, its header, the end; before the
 * row of one with very many recipients what became of them. */
void rows_show_list(struct rows *r, const struct msg_ctl_list *list);
void rows_show(struct rows *r, const struct msg_ctl_row *row);
void rows_show_more(struct rows *r, struct msg_list recipients);
void rows_show_head(struct rows *r, struct span bytes);
void rows_show_end(struct rows *r);

#endif
