/*
 * From a file to a parent that may start its children.
 *
 * Until the log is open everything is said on standard error, to the person
 * who typed the command, and of each step all that is wrong at once: of the
 * file, of the users, of the ports.  Nothing here is undone after a failure
 * but by boot_close(), which takes a half-made struct mtad.
 *
 * `mtad -t` makes the same checks and changes nothing: it makes no directory,
 * takes no lock and leaves no socket behind.
 */
#include "mtad/boot.h"

#include "common/confload/conf_check.h"
#include "common/confload/conf_load.h"
#include "common/os/fd.h"
#include "common/os/random.h"
#include "common/os/rlimit.h"
#include "common/os/spawn.h"
#include "mtad/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT_MAX	((size_t)256 * 1024)
#define CONTROL_GROUP	"mtad"

/* ---- the configuration ---- */

/* conf_check_files() looks at the system (files, their owners), the loader at
 * the text only. */
enum err
boot_load(const char *path, struct conf_report *report, struct conf **out)
{
	struct conf *conf;
	enum err e = conf_load_file(path, report, &conf);

	if (e != OK)
		return e;
	e = conf_check_files(conf, report);
	if (e != OK) {
		conf_free(&conf);
		return e;
	}
	*out = conf;
	return OK;
}

static void
print_text(const struct buf *text)
{
	if (text->n > 0)
		(void)fwrite(text->p, 1, text->n, stderr);
}

/* In colour for a terminal. */
static void
print_report(const struct conf_report *report)
{
	struct buf text;

	buf_init(&text, REPORT_MAX);
	conf_report_print(report, isatty(STDERR_FILENO) == 1, &text);
	print_text(&text);
	buf_clear(&text);
}

/* A failure without a remark is one of memory or of reading the file. */
static enum err
load_and_print(const char *path, struct conf **out)
{
	struct conf_report report;
	enum err e;

	conf_report_init(&report, path);
	e = boot_load(path, &report, out);
	print_report(&report);
	if (e != OK && report.n_errors == 0)
		(void)fprintf(stderr, "%s: %s\n", path, err_text(e));
	conf_report_clear(&report);
	return e;
}

/* ---- programs ---- */

/* The folder of our own program: the children lie beside it. */
static enum err
own_folder(char out[PATH_MAX], struct why *why)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return why_set(why, ERR_IO, "/proc/self/exe: %s",
		    strerror(errno));
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL)
		return why_set(why, ERR_IO, "/proc/self/exe: no folder");
	*slash = '\0';
	return OK;
}

/* The program of a kind of child. */
static enum err
open_program(enum proc_id id, int *program, struct why *why)
{
	char folder[PATH_MAX], path[PATH_MAX + 32];
	enum err e = own_folder(folder, why);

	if (e != OK)
		return e;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, procs[id].name);
	return spawn_open(path, program, why);
}

/* Opened once: an upgrade of the files never mixes versions in one run. */
static enum err
open_programs(struct mtad *m, struct why *why)
{
	enum err e = OK;

	for (size_t i = 0; i < PROC_COUNT && e == OK; i++)
		e = open_program((enum proc_id)i, &m->programs[i], why);
	return e;
}

/* ---- secrets ---- */

/* Read and looked at, with words on standard error. */
static enum err
load_secrets(const struct conf *conf, int program, struct secrets *out)
{
	struct why why = { "" };
	struct buf text;
	enum err e = secrets_read(conf, out, &why);

	if (e != OK) {
		(void)fprintf(stderr, "%s\n", why.text);
		return e;
	}
	buf_init(&text, REPORT_MAX);
	e = secrets_check(out, conf, program, &text);
	print_text(&text);
	buf_clear(&text);
	if (e != OK)
		secrets_clear(out);
	return e;
}

/* ---- users ---- */

#define USERADD "useradd --system --user-group --no-create-home " \
    "--home-dir / --shell /usr/sbin/nologin"

/* fetchd came later than the others: where its user was not made yet it runs
 * as that of dnsd, which has no more rights than it. */
static bool
find_substitute(struct mtad *m, size_t id)
{
	if (id != PROC_FETCHD ||
	    creds_user(procs[PROC_DNSD].user, &m->users[id]) != OK)
		return false;
	(void)fprintf(stderr, "warning: user %s is missing, so %s runs as %s; "
	    "make it with: " USERADD " %s\n", procs[id].user, procs[id].name,
	    procs[PROC_DNSD].user, procs[id].user);
	return true;
}

/* All that are missing, at once, with the commands that make them. */
static bool
find_users(struct mtad *m)
{
	bool is_ok = true;

	for (size_t i = 0; i < PROC_COUNT; i++) {
		if (creds_user(procs[i].user, &m->users[i]) == OK ||
		    find_substitute(m, i))
			continue;
		(void)fprintf(stderr, "user %s is missing; make it with: "
		    USERADD " %s\n", procs[i].user, procs[i].user);
		is_ok = false;
	}
	if (creds_group(CONTROL_GROUP, &m->control_group) != OK) {
		(void)fprintf(stderr, "group " CONTROL_GROUP " is missing; "
		    "make it with: groupadd --system " CONTROL_GROUP "\n");
		is_ok = false;
	}
	return is_ok;
}

/* ---- mtad -t ---- */

/* A port that our own running instance serves is as it should be; and only
 * root can tell of the low ones. */
static bool
check_ports(const struct conf *conf)
{
	struct ports none = { .n = 0 }, ports;
	struct ports_result r;
	bool is_ok = true;

	ports_result_init(&r);
	if (ports_open(conf, &none, &ports, &r) == OK)
		ports_close(&ports, NULL);
	else if (geteuid() == 0 && !(r.is_in_use && dirs_running(conf) != 0))
		is_ok = false;
	print_text(&r.warnings);
	if (!is_ok)
		print_text(&r.errors);
	ports_result_clear(&r);
	return is_ok;
}

static bool
check_secrets(struct mtad *m)
{
	struct why why = { "" };
	int program = -1;
	enum err e = open_program(PROC_KEYD, &program, &why);

	if (e == OK)
		e = load_secrets(m->conf, program, &m->secrets);
	else
		(void)fprintf(stderr, "%s\n", why.text);
	secrets_clear(&m->secrets);
	fd_close(&program);
	return e == OK;
}

int
boot_check(const char *config_path)
{
	struct mtad *m = calloc(1, sizeof(*m));
	bool is_ok;

	if (m == NULL || load_and_print(config_path, &m->conf) != OK) {
		free(m);
		return MTAD_EXIT_FAILED;
	}
	is_ok = geteuid() != 0 || find_users(m);
	/* in this order, so that all are told */
	is_ok = check_secrets(m) && is_ok;
	is_ok = check_ports(m->conf) && is_ok;
	if (is_ok)
		(void)puts("configuration is valid");
	conf_free(&m->conf);
	free(m);
	return is_ok ? MTAD_EXIT_OK : MTAD_EXIT_FAILED;
}

/* ---- the log ---- */

/*
 * A pipe or terminal is opened once more, so that it can be made non-blocking
 * without doing that to whoever else has it.  Never a file: a second opening
 * would write over its beginning.
 */
static enum err
copy_standard_error(int *fd)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || isatty(STDERR_FILENO) == 1)) {
		*fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK |
		    O_NOCTTY | O_CLOEXEC);
		if (*fd >= 0)
			return OK;
	}
	return fd_dup(STDERR_FILENO, fd);
}

enum err
boot_open_log(const struct conf *conf, int *fd, struct why *why)
{
	const char *path = conf->log.file;

	if (*path == '\0') {
		if (copy_standard_error(fd) != OK)
			return why_set(why, ERR_IO, "standard error: %s",
			    strerror(errno));
		return OK;
	}
	/* all processes write to it, each through its own descriptor */
	*fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC,
	    0640);
	if (*fd < 0)
		return why_set(why, ERR_IO, "log.file %s: %s", path,
		    strerror(errno));
	return OK;
}

static enum err
open_log(struct mtad *m, struct why *why)
{
	enum err e = boot_open_log(m->conf, &m->log_fd, why);

	if (e == OK && log_new("mtad", m->log_fd, &m->log) != OK)
		e = why_set(why, ERR_NOMEM, "no memory");
	if (e != OK)
		return e;
	log_set_level(m->log, (enum log_level)m->conf->log.level);
	log_set_format(m->log, (enum log_format)m->conf->log.format);
	log_set_host(m->log, span_str(m->conf->hostname));
	return OK;
}

/* ---- limits and shared memory ---- */

/* Each worker may be asked to serve all connections. */
static void
raise_limits(struct mtad *m)
{
	m->files_wanted = (uint64_t)m->conf->limits.connections +
	    m->conf->deliver.connections_total + 512;
	m->files = m->files_wanted;
	(void)rlimit_raise_files(m->files_wanted, &m->files);
	(void)rlimit_no_core();
}

/* Twice as many places as connections, as a table that is nearly full is slow;
 * the table is made once and keeps its size over reloads. */
static enum err
open_clients(struct mtad *m, struct why *why)
{
	uint64_t capacity = (uint64_t)m->conf->limits.connections * 2;
	const uint32_t workers = procs_workers(PROC_SMTPD, m->conf);

	if (capacity < 4096)
		capacity = 4096;
	if (capacity > CLIENT_TABLE_CAPACITY_MAX)
		capacity = CLIENT_TABLE_CAPACITY_MAX;
	m->client_capacity = (uint32_t)capacity;
	if (random_key(&m->client_key) != OK || client_table_new(workers,
	    m->client_capacity, &m->client_key, &m->clients) != OK)
		return why_set(why, ERR_NOMEM, "no memory for the table of "
		    "clients");
	return OK;
}

static enum err
open_ports(struct mtad *m, struct why *why)
{
	struct ports none = { .n = 0 };
	struct ports_result r;
	enum err e;

	ports_result_init(&r);
	e = ports_open(m->conf, &none, &m->ports, &r);
	print_text(&r.warnings);
	print_text(&r.errors);
	ports_result_clear(&r);
	return e == OK ? OK : why_set(why, e, "not started");
}

/* ---- all of it ---- */

/* The lock is taken before anything that another instance might be using.  The
 * log comes last: what fails before is said on standard error. */
static enum err
open_all(struct mtad *m, struct why *why)
{
	enum err e = dirs_make(m, why);

	if (e == OK)
		e = dirs_lock(m, why);
	if (e == OK)
		e = open_ports(m, why);
	if (e == OK)
		e = dirs_open_control(m, why);
	if (e == OK)
		e = open_clients(m, why);
	if (e == OK)
		e = open_log(m, why);
	return e;
}

enum err
boot_open(struct mtad *m)
{
	struct why why = { "" };
	enum err e;

	/* 0 is a valid descriptor: boot_close() must be able to tell */
	m->log_fd = m->control_fd = m->signal_fd = -1;
	m->lock_fd = m->shared_lock_fd = -1;
	for (size_t i = 0; i < PROC_COUNT; i++)
		m->programs[i] = -1;
	m->control_group = (gid_t)-1;
	m->is_root = geteuid() == 0;
	e = load_and_print(m->config_path, &m->conf);
	if (e != OK)
		return e;
	if (m->is_root && !find_users(m))
		return ERR_NOT_FOUND;
	raise_limits(m);
	e = open_programs(m, &why);
	if (e == OK)
		e = load_secrets(m->conf, m->programs[PROC_KEYD], &m->secrets);
	if (e == OK)
		e = open_all(m, &why);
	if (e != OK && why.text[0] != '\0')
		(void)fprintf(stderr, "mtad: %s\n", why.text);
	return e;
}

void
boot_close(struct mtad *m)
{
	/* the lock goes last but one: who waits for it finds the rest
	 * released */
	ports_close(&m->ports, NULL);
	client_table_free(&m->clients);
	fd_close(&m->control_fd);
	for (size_t i = 0; i < PROC_COUNT; i++)
		fd_close(&m->programs[i]);
	log_free(&m->log);
	fd_close(&m->log_fd);
	secrets_clear(&m->secrets);
	if (m->conf != NULL)
		dirs_tidy(m);
	fd_close(&m->shared_lock_fd);
	fd_close(&m->lock_fd);
	conf_free(&m->conf);
}
