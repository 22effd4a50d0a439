/*
 * `forecast` for people and for programs.
 */
#ifndef MTAD_MTACTL_FORECAST_H
#define MTAD_MTACTL_FORECAST_H

#include "common/ipc/messages.h"
#include "mtactl/output.h"

struct forecast_view {
	struct output *out;		/* borrowed */
	struct json json;
	uint64_t untried;		/* recipients, for the last words */
	unsigned rows;
};

void forecast_init(struct forecast_view *v, struct output *out);
void forecast_all(struct forecast_view *v,
    const struct msg_ctl_forecast_all *m);
void forecast_dest(struct forecast_view *v,
    const struct msg_ctl_forecast_dest *m);
void forecast_end(struct forecast_view *v);

#endif
