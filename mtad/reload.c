/*
 * SIGHUP and `mtactl reload`: a new configuration for all that run.
 *
 * First everything that can fail: read, check, bind new ports.  An error
 * leaves the old configuration in force, whole.  Then the parent takes it over
 * and hands it on, to the workers first and to queued when all of them have
 * it, so that no mail is routed by rules that a worker doesn't know yet.  Each
 * child answers with `ready` and the generation; one that doesn't within
 * WAIT_MS is not waited for.  One that dies meanwhile gets the new
 * configuration with its start.
 *
 * One reload at a time: what is asked for during one (or during the start) is
 * remembered as one more, and done afterwards, since the file may have
 * changed.
 */
#include "mtad/reload.h"

#include "common/base/arena.h"
#include "common/os/fd.h"
#include "mtad/boot.h"
#include "mtad/child.h"
#include "mtad/handover.h"

#include <string.h>

/* Must fit into one message to queued. */
#define TEXT_MAX_BYTES	((size_t)60 * 1024)
#define WAIT_MS		5000	/* for a child to take it over */

/* ---- what is said of it ---- */

/* A reload is asked for by a signal, so the log is where the errors are looked
 * for; mtactl shows them, too. */
static void
log_remarks(struct mtad *m, const struct conf_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct conf_remark *r = &report->v[i];

		if (!log_begin(m->log, r->severity == CONF_ERROR ?
		    LOG_RELOAD_REFUSED : LOG_CONFIG_WARNING, NULL))
			continue;
		log_u64(m->log, "line", r->place.line);
		log_u64(m->log, "column", r->place.column);
		log_str(m->log, "why", r->text);
		log_end(m->log);
	}
}

/* Each line of TEXT as an event of its own. */
static void
log_lines(struct mtad *m, enum log_id id, struct span text)
{
	while (text.n > 0) {
		size_t end = span_find(text, '\n');

		if (log_begin(m->log, id, NULL)) {
			log_text(m->log, "why", span_sub(text, 0, end));
			log_end(m->log);
		}
		text = span_from(text, end + 1);
	}
}

/* Those who asked before this reload began are answered; without queued there
 * is no way to them. */
static void
answer(struct mtad *m, bool is_done)
{
	struct child *queued = child_find(m, ROLE_QUEUED, 0);
	struct msg msg = { .type = MSG_reload_done };

	msg.reload_done.is_done = is_done;
	msg.reload_done.text = buf_span(&m->reload_text);
	for (size_t i = 0; i < m->cookies_now && queued != NULL; i++) {
		msg.reload_done.cookie = m->cookies[i];
		child_send(queued, &msg, -1);
	}
	/* who asked since then waits for the next one */
	m->cookie_count -= m->cookies_now;
	memmove(m->cookies, m->cookies + m->cookies_now,
	    m->cookie_count * sizeof(m->cookies[0]));
	m->cookies_now = 0;
	buf_clear(&m->reload_text);
}

static void
finish(struct mtad *m)
{
	m->reload = RELOAD_NONE;
	timer_stop(&m->reload_wait);
	if (log_begin(m->log, LOG_RELOADED, NULL)) {
		log_u64(m->log, "generation", m->generation);
		log_end(m->log);
	}
	answer(m, true);
	if (m->is_reload_due)
		reload_start(m);
}

/* ---- loading ---- */

/* What only a start can change stays as it is, so that a child that is
 * started again fits the others. */
static enum err
keep_fixed(struct conf *conf, const struct conf *old)
{
	const char *path = arena_text(conf->arena,
	    span_str(old->queue.path));
	const char *runtime = arena_text(conf->arena,
	    span_str(old->runtime));

	if (path == NULL || runtime == NULL)
		return ERR_NOMEM;
	conf->queue.path = path;
	conf->runtime = runtime;
	conf->workers = old->workers;
	return OK;
}

/* A warning is no reason to refuse the rest of a file. */
static void
tell_fixed(struct mtad *m, const struct conf *conf)
{
	struct conf_change changes[CONF_CHANGES_MAX];
	size_t n = conf_compare(m->conf, conf, CONF_ALL, changes);
	const size_t begin = m->reload_text.n;

	for (size_t i = 0; i < n; i++) {
		if (changes[i].needs_restart)
			buf_addf(&m->reload_text,
			    "%s: takes effect at the next start\n",
			    changes[i].key);
	}
	log_lines(m, LOG_CONFIG_WARNING,
	    span_from(buf_span(&m->reload_text), begin));
}

/* A file without a key is a configuration, but hardly what a running relay is
 * to be given: an editor has cut it to write it anew, and will not be done.
 * What was read counts, for the file may be another one by now. */
static enum err
check_not_empty(struct mtad *m, bool has_keys)
{
	const size_t begin = m->reload_text.n;

	if (has_keys)
		return OK;
	buf_addf(&m->reload_text, "%s: is empty: half-written? The old "
	    "configuration stays; an empty one is taken at a start only\n",
	    m->config_path);
	log_lines(m, LOG_RELOAD_REFUSED,
	    span_from(buf_span(&m->reload_text), begin));
	return ERR_SYNTAX;
}

/* OUT is a configuration that may be taken over as it is. */
static enum err
load(struct mtad *m, struct conf **out)
{
	struct conf_report report;
	struct conf *conf;
	bool has_keys;
	enum err e;

	conf_report_init(&report, m->config_path);
	e = boot_load(m->config_path, &report, &conf);
	log_remarks(m, &report);
	conf_report_print(&report, false, &m->reload_text);
	has_keys = report.has_keys;
	conf_report_clear(&report);
	if (e != OK)
		return e;
	e = check_not_empty(m, has_keys);
	if (e == OK) {
		tell_fixed(m, conf);
		e = keep_fixed(conf, m->conf);
	}
	if (e != OK) {
		conf_free(&conf);
		return e;
	}
	*out = conf;
	return OK;
}

static enum err
bind_ports(struct mtad *m, const struct conf *conf, struct ports *out)
{
	struct ports_result r;
	enum err e;

	ports_result_init(&r);
	e = ports_open(conf, &m->ports, out, &r);
	log_lines(m, LOG_CONFIG_WARNING, buf_span(&r.warnings));
	log_lines(m, LOG_RELOAD_REFUSED, buf_span(&r.errors));
	buf_add_span(&m->reload_text, buf_span(&r.warnings));
	buf_add_span(&m->reload_text, buf_span(&r.errors));
	ports_result_clear(&r);
	return e;
}

/* The parent waits for the answer: a reload has nothing to do until then, and
 * a few milliseconds are no loss to anybody. */
static enum err
load_secrets(struct mtad *m, const struct conf *conf, struct secrets *out)
{
	const size_t begin = m->reload_text.n;
	struct why why = { "" };
	enum err e = secrets_read(conf, out, &why);

	if (e != OK) {
		buf_addf(&m->reload_text, "%s\n", why.text);
	} else {
		e = secrets_check(out, conf, m->programs[PROC_KEYD],
		    &m->reload_text);
		if (e != OK)
			secrets_clear(out);
	}
	log_lines(m, e != OK ? LOG_RELOAD_REFUSED : LOG_CONFIG_WARNING,
	    span_from(buf_span(&m->reload_text), begin));
	return e;
}

/* ---- handing it over ---- */

static bool
is_same_port(const struct port *a, const struct port *b)
{
	return b != NULL && a->index == b->index;
}

/* A port whose row has another number now is taken away and given anew. */
static void
hand_ports_to(struct child *c, const struct ports *old,
    const struct ports *ports)
{
	for (size_t i = 0; i < old->n; i++) {
		const struct port *p = &old->v[i];

		if (!is_same_port(p, ports_find(ports, &p->endpoint)))
			handover_port_gone(c, p);
	}
	for (size_t i = 0; i < ports->n; i++) {
		const struct port *p = &ports->v[i];

		if (!is_same_port(p, ports_find(old, &p->endpoint)))
			handover_port(c, p);
	}
}

static void
log_ports(struct mtad *m, enum log_id id, const struct ports *these,
    const struct ports *but)
{
	char text[ENDPOINT_TEXT_SIZE];

	for (size_t i = 0; i < these->n; i++) {
		const struct endpoint *e = &these->v[i].endpoint;

		if (ports_find(but, e) != NULL || !log_begin(m->log, id, NULL))
			continue;
		log_text(m->log, "address",
		    span_of(text, endpoint_format(e, text)));
		log_end(m->log);
	}
}

/* Can't fail.  MTAD's copies of sockets that are no longer wanted are closed
 * last, after the children have been told to close theirs. */
static void
take_over(struct mtad *m, struct conf *conf, struct ports *ports,
    struct secrets *secrets)
{
	const bool has_other_log =
	    strcmp(m->conf->log.file, conf->log.file) != 0;
	struct ports old = m->ports;

	log_ports(m, LOG_LISTENER_CLOSED, &old, ports);
	log_ports(m, LOG_LISTENING, ports, &old);
	conf_free(&m->conf);
	m->conf = conf;
	m->ports = *ports;
	secrets_clear(&m->secrets);
	m->secrets = *secrets;
	m->generation++;
	m->reload = RELOAD_WORKERS;
	timer_start(&m->reload_wait, WAIT_MS);
	log_set_level(m->log, (enum log_level)conf->log.level);
	log_set_format(m->log, (enum log_format)conf->log.format);
	log_set_host(m->log, span_str(conf->hostname));
	for (size_t i = 0; i < m->child_count; i++) {
		struct child *c = &m->children[i];

		if (c->row->id == PROC_QUEUED)
			continue;
		handover_config(c);
		if ((c->row->needs & PROC_NEEDS_LISTENERS) != 0)
			hand_ports_to(c, &old, ports);
		child_start(c);
	}
	ports_close(&old, &m->ports);
	if (has_other_log)
		reload_log(m);
	reload_ready(m);
}

void
reload_start(struct mtad *m)
{
	struct secrets secrets;
	struct ports ports;
	struct conf *conf;

	if (m->reload != RELOAD_NONE || m->phase == MTAD_BOOTING) {
		m->is_reload_due = true;
		return;
	}
	m->is_reload_due = false;
	if (m->phase == MTAD_STOPPING)
		return;
	/* who asks from now on may have changed the file after we read it */
	m->cookies_now = m->cookie_count;
	if (load(m, &conf) != OK) {
		answer(m, false);
		return;
	}
	if (load_secrets(m, conf, &secrets) != OK) {
		conf_free(&conf);
		answer(m, false);
		return;
	}
	if (bind_ports(m, conf, &ports) != OK) {
		secrets_clear(&secrets);
		conf_free(&conf);
		answer(m, false);
		return;
	}
	take_over(m, conf, &ports, &secrets);
}

void
reload_asked(struct mtad *m, uint64_t cookie)
{
	if (m->cookie_count < MTAD_ASKERS_MAX)
		m->cookies[m->cookie_count++] = cookie;
	reload_start(m);
}

/* Whether all of these that run have taken it over; those that do not will
 * get it with their start. */
static bool
have_taken(const struct mtad *m, bool is_queued)
{
	for (size_t i = 0; i < m->child_count; i++) {
		const struct child *c = &m->children[i];

		if ((c->row->id == PROC_QUEUED) == is_queued && c->pid != 0 &&
		    c->generation != m->generation)
			return false;
	}
	return true;
}

static void
go_to_queued(struct mtad *m)
{
	struct child *queued = child_find(m, ROLE_QUEUED, 0);

	m->reload = RELOAD_QUEUED;
	timer_start(&m->reload_wait, WAIT_MS);
	if (queued != NULL)
		handover_config(queued);
}

/* Called for each `ready` and each death: looks whether the next step is due.
 * Nothing when there is no reload. */
void
reload_ready(struct mtad *m)
{
	if (m->reload == RELOAD_WORKERS && have_taken(m, false))
		go_to_queued(m);
	if (m->reload == RELOAD_QUEUED && have_taken(m, true))
		finish(m);
	if (m->reload == RELOAD_NONE && m->is_reload_due &&
	    m->phase == MTAD_SERVING)
		reload_start(m);
}

/* Somebody is slow: the others do not wait. */
static void
on_wait(void *ctx)
{
	struct mtad *m = ctx;

	if (m->reload == RELOAD_WORKERS)
		go_to_queued(m);
	else if (m->reload == RELOAD_QUEUED)
		finish(m);
}

enum err
reload_init(struct mtad *m)
{
	buf_init(&m->reload_text, TEXT_MAX_BYTES);
	return timer_init(&m->reload_wait, m->loop, on_wait, m);
}

void
reload_clear(struct mtad *m)
{
	timer_clear(&m->reload_wait);
	buf_clear(&m->reload_text);
}

/* ---- the log file ---- */

/* After logrotate(8) renamed the file, or when log.file changed.  Children
 * write to the same file, and get the new descriptor; what they log until it
 * comes still goes into the old one. */
void
reload_log(struct mtad *m)
{
	struct why why;
	int fd;

	if (boot_open_log(m->conf, &fd, &why) != OK) {
		if (log_begin(m->log, LOG_RELOAD_REFUSED, NULL)) {
			log_str(m->log, "why", why.text);
			log_end(m->log);
		}
		return;
	}
	/* what was said before belongs into the old file */
	(void)log_flush(m->log);
	log_set_fd(m->log, fd);
	fd_close(&m->log_fd);
	m->log_fd = fd;
	handover_log(m);
	if (log_begin(m->log, LOG_LOG_REOPENED, NULL))
		log_end(m->log);
}
