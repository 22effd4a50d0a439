/*
 * queued's log, read as it is written: what is expired, given up without a
 * report, or found damaged.
 */
#include "common/base/check.h"
#include "common/log/log.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_deliverd.h"
#include "tests/sim/sim_hops.h"
#include "tests/sim/sim_mail.h"
#include "tests/sim/sim_operator.h"
#include "tests/sim/sim_world.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
	enum log_id event;
	uint64_t id, about, begun;
	int64_t by;
	bool is_back;
	char to[SIM_ADDRESS];
	char why[64], what[64];
	char text[512];
} line;

const char *
log_event_name(enum log_id id)
{
	static const char *const names[LOG_ID_COUNT] = {
#define LOG_EVENT(id, name, level, doc) name,
#include "common/log/log_ids.def"
#undef LOG_EVENT
	};

	return names[id];
}

/* Reports that queued has made, in a ring: those that lie behind are seen, or
 * gone, by then. */
static struct {
	uint64_t id, about;
	struct sim_moment at;
	uint32_t number;
} made[1024];
static size_t made_count;
static bool has_lost, has_been_full;

bool
sim_log_has_lost(void)
{
	return has_lost;
}

bool
sim_log_has_been_full(void)
{
	return has_been_full;
}

void
sim_log_clear(void)
{
	made_count = 0;
	has_lost = has_been_full = false;
	(void)sim_log_was_begun();
}

bool
sim_log_reported(uint64_t id, struct sim_moment *at, uint64_t *about,
    uint32_t *number)
{
	for (size_t i = made_count; i-- > 0 &&
	    i + COUNT_OF(made) >= made_count;) {
		if (made[i % COUNT_OF(made)].id != id)
			continue;
		*at = made[i % COUNT_OF(made)].at;
		*about = made[i % COUNT_OF(made)].about;
		*number = made[i % COUNT_OF(made)].number;
		return true;
	}
	return false;
}

bool
log_begin(struct log *l, enum log_id id, const struct log_context *c)
{
	(void)l;
	(void)c;
	if (sim.is_dying)
		return false;
	memset(&line, 0, sizeof(line));
	line.event = id;
	return true;
}

static void
note(const char *key, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(const char *key, const char *format, ...)
{
	size_t n = strlen(line.text);
	va_list args;
	int more;

	if (!sim.is_tracing)
		return;
	more = snprintf(line.text + n, sizeof(line.text) - n, " %s=", key);
	n += (size_t)more;
	if (n >= sizeof(line.text))
		return;
	va_start(args, format);
	(void)vsnprintf(line.text + n, sizeof(line.text) - n, format, args);
	va_end(args);
}

void
log_text(struct log *l, const char *key, struct span s)
{
	(void)l;
	note(key, "%.*s", (int)s.n, (const char *)s.p);
}

void
log_str(struct log *l, const char *key, const char *s)
{
	(void)l;
	note(key, "%s", s);
	if (strcmp(key, "why") == 0)
		(void)snprintf(line.why, sizeof(line.why), "%s", s);
	else if (strcmp(key, "what") == 0)
		(void)snprintf(line.what, sizeof(line.what), "%s", s);
	else if (strcmp(key, "way") == 0)
		line.is_back = strcmp(s, "back") == 0;
}

void
log_address(struct log *l, const char *key, struct span address)
{
	(void)l;
	note(key, "%.*s", (int)address.n, (const char *)address.p);
	if (strcmp(key, "to") == 0)
		(void)snprintf(line.to, sizeof(line.to), "%.*s",
		    (int)address.n, (const char *)address.p);
}

void
log_u64(struct log *l, const char *key, uint64_t v)
{
	(void)l;
	note(key, "%ju", (uintmax_t)v);
	if (strcmp(key, "begun") == 0)
		line.begun = v;
}

void
log_queue_id(struct log *l, const char *key, uint64_t id)
{
	(void)l;
	note(key, "%jx", (uintmax_t)id);
	if (strcmp(key, "about") == 0)
		line.about = id;
	else
		line.id = id;
}

void
log_ms(struct log *l, const char *key, int64_t ms)
{
	(void)l;
	note(key, "%jdms", (intmax_t)ms);
	if (strcmp(key, "by") == 0)
		line.by = ms;
}

/* ---- what it means ---- */

/* Not before its time, and only as the result of an attempt: the one that
 * queued is told of now, or one that failed for all of its destination when it
 * was too old already. */
static void
expired(struct sim_mail *m, struct sim_rcpt *r)
{
	r->is_expired = true;
	sim_note(SIM_EXPIRED);
	if (sim_age_most(m->since, sim_clock_now()) < sim_mail_life(m))
		sim_broken("I-02", "%s expired too early", r->address);
	if (sim_deliverd_tells_of(m, r))
		return;
	sim_note(SIM_EXPIRED_BEHIND);
	if (sim_hop_failed_for(m, r))
		return;
	sim_note(SIM_EXPIRED_SUSPENDED);
	if (!sim_operator_stopped_for(m))
		sim_broken("I-02", "%s expired without an attempt",
		    r->address);
}

/* What may be delivered again is marked so. */
static void
deferred(struct sim_rcpt *r)
{
	/* "in doubt, held", too */
	if (strncmp(line.why, "in doubt", strlen("in doubt")) == 0)
		r->doubts++;
}

/* A report that was deleted, perhaps before anybody saw it. */
static void
vanished(struct sim_rcpt *r)
{
	unsigned number;

	if (sscanf(line.to, "s%u@", &number) == 1 && number < mails.n)
		mails.v[number]->has_vanished_report = true;
	if (r != NULL)
		r->may_vanish = true;
}

/* To a sender, whose address has the number of his message; or not. */
static void
reported(void)
{
	size_t i = made_count++ % COUNT_OF(made);

	made[i].id = line.id;
	made[i].about = line.about;
	made[i].at = sim_clock_now();
	if (sscanf(line.to, "s%u@", &made[i].number) != 1)
		made[i].number = UINT32_MAX;
}

static void
discarded(struct sim_mail *m, struct sim_rcpt *r)
{
	if (m == NULL)
		sim_mail_unseen(line.id);
	if (strstr(line.why, "no report") != NULL) {
		if (r != NULL)
			r->is_unreported = true;
		sim_note(m != NULL && m->is_report ? SIM_REPORT_FAILED :
		    SIM_NULL_SENDER_FAILED);
		return;
	}
	sim_note(SIM_DISCARDED);
	vanished(r);
}

static bool was_begun;

bool
sim_log_was_begun(void)
{
	bool was = was_begun;

	was_begun = false;
	return was;
}

/* A part of a list: how far that has come. */
static void
begun(struct sim_mail *m)
{
	sim_note(SIM_PARTS);
	was_begun = true;
	if (m != NULL)
		m->begun = (uint32_t)line.begun;
}

void
log_end(struct log *l)
{
	struct sim_rcpt *r = NULL;
	struct sim_mail *m = sim_mail_by_rcpt(span_str(line.to), &r);

	(void)l;
	sim_digest((uint64_t)line.event, line.id);
	sim_trace("    log %s%s", log_event_name(line.event), line.text);
	if (m == NULL && (m = sim_mail_by_id(line.id)) != NULL)
		r = &m->rcpts[0];
	if (line.event == LOG_BOUNCED && m != NULL &&
	    strcmp(line.why, "too old") == 0)
		expired(m, r);
	else if (line.event == LOG_DEFERRED && r != NULL)
		deferred(r);
	else if (line.event == LOG_PART)
		begun(m);
	else if (line.event == LOG_CLOCK_JUMPED)
		sim_clock_seen(line.is_back ? -line.by : line.by);
	else if (line.event == LOG_SPOOL_FAILED &&
	    strcmp(line.what, "its clock can't be kept") == 0)
		sim_clock_unkept();
	else if (line.event == LOG_SPOOL_FAILED &&
	    strcmp(line.what, "its doubts can't be kept") == 0)
		sim_mails_unkept();
	else if (line.event == LOG_HISTORY_LOST)
		has_lost = true;
	else if (line.event == LOG_SPOOL_FULL)
		has_been_full = true;
	else if (line.event == LOG_DISCARDED)
		discarded(m, r);
	else if (line.event == LOG_REPORTED)
		reported();
	else if (line.event == LOG_SPOOL_DAMAGED && line.id != 0)
		sim_note(SIM_QUARANTINED);
}
