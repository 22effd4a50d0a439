/*
 * `mtactl forecast`: a job of a session.
 */
#ifndef MTAD_QUEUED_CTL_FORECAST_H
#define MTAD_QUEUED_CTL_FORECAST_H

struct ctl_session;

void ctl_forecast(struct ctl_session *s);

/* What its job has left, if anything, is freed. */
void ctl_forecast_end(struct ctl_session *s);

#endif
