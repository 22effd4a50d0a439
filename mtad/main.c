/*
 * mtad, the parent of all other processes.
 *
 * What is in this file is the order of things: options, boot_open() for all
 * that can fail with words on standard error, then the loop, and from there on
 * the log.  Everything the parent knows is in one struct mtad, on the heap
 * because it is large, with no other global state.
 */
#include "common/os/fd.h"
#include "common/os/signals.h"
#include "mtad/boot.h"
#include "mtad/child.h"
#include "mtad/dovecot.h"
#include "mtad/environment.h"
#include "mtad/handover.h"
#include "mtad/reload.h"
#include "mtad/stop.h"
#include "mtad_version.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_CONFIG	"/etc/mtad/mtad.yaml"
#define LOG_RETRY_MS	20

static const char usage[] =
    "usage: mtad [-t] [-c FILE]\n"
    "\n"
    "Runs the mail relay in the foreground until SIGTERM or SIGINT.\n"
    "\n"
    "  -c FILE   configuration (" DEFAULT_CONFIG ")\n"
    "  -t        check the configuration, and end: 0 valid, 1 not\n"
    "  -V        print the version\n"
    "  -h        print this\n"
    "\n"
    "SIGHUP reads the configuration again, SIGUSR1 opens the log file again.\n"
    "Manual: mtad(8), mtad.yaml(5), mtactl(1)\n";

/* ---- the log ---- */

/* What the log's reader can't take yet is tried again; the lines wait in the
 * log's own buffer meanwhile, and are dropped and counted when that is
 * full. */
static void
on_log_flush(void *ctx)
{
	struct mtad *m = ctx;

	if (!log_flush(m->log))
		timer_start(&m->log_retry, LOG_RETRY_MS);
}

static void
on_log_line(void *ctx)
{
	struct mtad *m = ctx;

	deferred_add(&m->log_flush);
}

/* ---- signals ---- */

/* Signals come as bytes from a descriptor, in the loop, so that no handler
 * interrupts anything.  Several deaths may share one SIGCHLD. */
static void
on_signal(void *ctx, unsigned events)
{
	struct mtad *m = ctx;
	int sig;

	(void)events;
	while (signals_read(m->signal_fd, &sig) == OK) {
		switch (sig) {
		case SIGCHLD:
			child_reap(m);
			break;
		case SIGHUP:
			reload_start(m);
			break;
		case SIGUSR1:
			reload_log(m);
			break;
		default:
			stop_start(m);
			break;
		}
	}
}

/* SIGPIPE would end us when a child closes its channel. */
static enum err
open_signals(struct mtad *m)
{
	static const int signals[] = {
		SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, 0,
	};
	enum err e = signals_open(signals, &m->signal_fd);

	signals_ignore(SIGPIPE);
	if (e == OK)
		e = watch_new(m->loop, m->signal_fd, on_signal, m,
		    &m->signal_watch);
	if (e == OK)
		watch_set(m->signal_watch, WATCH_READ);
	return e;
}

/* ---- life ---- */

/* Deferred, for a start or a stop moves many processes in one turn. */
static void
on_processes(void *ctx)
{
	handover_processes(ctx);
}

/* close_loop() undoes it also when it failed half-way. */
static enum err
open_loop(struct mtad *m)
{
	enum err e = loop_new(&m->loop);

	if (e != OK)
		return e;
	deferred_init(&m->processes, m->loop, DEFERRED_WORK, on_processes, m);
	deferred_init(&m->log_flush, m->loop, DEFERRED_LAST, on_log_flush, m);
	log_set_notify(m->log, on_log_line, m);
	e = timer_init(&m->log_retry, m->loop, on_log_flush, m);
	if (e == OK)
		e = reload_init(m);
	if (e == OK)
		e = dovecot_init(m);
	if (e == OK)
		e = open_signals(m);
	if (e == OK)
		e = child_make_all(m);
	return e;
}

static void
close_loop(struct mtad *m)
{
	child_free_all(m);
	watch_free(&m->signal_watch);
	fd_close(&m->signal_fd);
	dovecot_clear(m);
	reload_clear(m);
	timer_clear(&m->log_retry);
	deferred_clear(&m->log_flush);
	deferred_clear(&m->processes);
	loop_free(&m->loop);
}

/* I-07 holds as far as one uid allows; whoever runs it so should know. */
static void
log_confinement(struct mtad *m)
{
	if (m->is_root || !log_begin(m->log, LOG_UNCONFINED, NULL))
		return;
	log_str(m->log, "why", "not started as root");
	log_u64(m->log, "uid", geteuid());
	log_str(m->log, "missing", "users of their own, empty root");
	log_end(m->log);
}

static void
log_limits(struct mtad *m)
{
	if (m->files >= m->files_wanted ||
	    !log_begin(m->log, LOG_CONFIG_WARNING, NULL))
		return;
	log_str(m->log, "why", "the limit of open files is too low for "
	    "limits.connections and deliver.connections_total");
	log_u64(m->log, "limit", m->files);
	log_u64(m->log, "wanted", m->files_wanted);
	log_end(m->log);
}

static void
log_listening(struct mtad *m)
{
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < m->ports.n; i++) {
		if (!log_begin(m->log, LOG_LISTENING, NULL))
			return;
		log_text(m->log, "address", span_of(text,
		    endpoint_format(&m->ports.v[i].endpoint, text)));
		log_end(m->log);
	}
}

/* From here on standard error may be the log, and nothing else writes
 * there. */
static void
serve(struct mtad *m)
{
	m->started_wall_ms = loop_wall_ms(m->loop);
	environment_choose(m->environment,
	    sizeof(m->environment) / sizeof(m->environment[0]));
	log_confinement(m);
	log_limits(m);
	log_listening(m);
	for (size_t i = 0; i < m->child_count; i++)
		/* in the order of procs.def; each may be joined only with
		 * those before it */
		child_start(&m->children[i]);
	loop_run(m->loop);
	if (m->exit_code == MTAD_EXIT_OK && log_begin(m->log, LOG_STOPPED,
	    NULL))
		log_end(m->log);
}

static int
run(const char *config_path)
{
	struct mtad *m = calloc(1, sizeof(*m));
	int code = MTAD_EXIT_FAILED;

	/* descriptors 0 to 2 must be taken before any other is opened: a
	 * socket that got number 2 would be written to by whatever
	 * complains */
	if (m == NULL || fd_fill_standard() != OK)
		goto out;
	m->config_path = config_path;
	if (boot_open(m) == OK) {
		if (open_loop(m) == OK) {
			serve(m);
			code = m->exit_code;
		} else {
			(void)fprintf(stderr, "mtad: no memory\n");
		}
		close_loop(m);
	}
	boot_close(m);
out:
	free(m);
	return code;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *config_path = DEFAULT_CONFIG;
	bool is_check = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:htV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config_path = optarg;
			break;
		case 't':
			is_check = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return MTAD_EXIT_OK;
		case 'V':
			(void)puts("mtad " MTAD_BUILD_ID);
			return MTAD_EXIT_OK;
		default:
			(void)fputs(usage, stderr);
			return MTAD_EXIT_USAGE;
		}
	}
	if (optind != argc) {
		(void)fputs(usage, stderr);
		return MTAD_EXIT_USAGE;
	}
	return is_check ? boot_check(config_path) : run(config_path);
}
