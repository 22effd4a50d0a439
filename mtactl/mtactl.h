/*
 * mtactl: what an operator asks of a running mtad, from the command line.
 *
 * One process, one question: it asks queued over the control socket, or reads
 * the configuration by itself, prints, and ends with one of the codes below.
 */
#ifndef MTAD_MTACTL_MTACTL_H
#define MTAD_MTACTL_MTACTL_H

#include "mtactl/args.h"
#include "mtactl/output.h"

/* Part of the contract with scripts; mtactl(1) lists them. */
enum mtactl_exit {
	MTACTL_DONE,
	MTACTL_NO_MESSAGE,	/* no message has that id */
	MTACTL_DAMAGED = MTACTL_NO_MESSAGE,	/* `spool …` found damage */
	MTACTL_NO_HOST = MTACTL_NO_MESSAGE,	/* `route explain`: nowhere */
	MTACTL_DIFFERS = MTACTL_NO_MESSAGE,	/* `… diff`, as of diff(1) */
	MTACTL_USAGE,		/* the command line or the selection is wrong */
	MTACTL_UNREACHED,	/* no mtad there, or it does not let us in */
	MTACTL_FAILED,		/* refused, failed, or not confirmed */
};

struct conf_report;

struct mtactl {
	struct args args;
	struct output out;
};

/* "mtactl: …" to standard error; returns CODE. */
int mtactl_fail(enum mtactl_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is wrong with a configuration, to standard error. */
void mtactl_print_report(const struct conf_report *report);

/* the verbs; each gives the exit code */
int cmd_status(struct mtactl *m);
int cmd_queue_list(struct mtactl *m);
int cmd_queue_count(struct mtactl *m);
int cmd_queue_hold(struct mtactl *m);
int cmd_queue_release(struct mtactl *m);
int cmd_queue_retry(struct mtactl *m);
int cmd_queue_delete(struct mtactl *m);
int cmd_message_show(struct mtactl *m);
int cmd_message_history(struct mtactl *m);
int cmd_message_explain(struct mtactl *m);
int cmd_route_explain(struct mtactl *m);
int cmd_route_diff(struct mtactl *m);
int cmd_config_check(struct mtactl *m);
int cmd_config_show(struct mtactl *m);
int cmd_config_diff(struct mtactl *m);
int cmd_spool_stats(struct mtactl *m);
int cmd_spool_check(struct mtactl *m);
int cmd_spool_backup(struct mtactl *m);
int cmd_spool_restore(struct mtactl *m);
int cmd_spool_salvage(struct mtactl *m);
int cmd_forecast(struct mtactl *m);
int cmd_dest_list(struct mtactl *m);
int cmd_dest_show(struct mtactl *m);
int cmd_dest_suspend(struct mtactl *m);
int cmd_dest_resume(struct mtactl *m);
int cmd_dest_reset(struct mtactl *m);
int cmd_quota_list(struct mtactl *m);
int cmd_quota_reset(struct mtactl *m);
int cmd_sts_list(struct mtactl *m);
int cmd_sts_forget(struct mtactl *m);
int cmd_auth_hash(struct mtactl *m);
int cmd_auth_test(struct mtactl *m);
int cmd_reload(struct mtactl *m);
int cmd_log_level(struct mtactl *m);
int cmd_help(struct mtactl *m);
int cmd_version(struct mtactl *m);

#endif
