/*
 * Addresses say whose they are: r12-3@d1.sim is the third recipient of message
 * 12, s12@d4.sim its sender; so whatever is leased, or named by a report, leads
 * back to the accounts without queued's help.
 */
#include "tests/sim/sim_mail.h"

#include "common/base/check.h"
#include "common/mail/queue_id.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_world.h"

#include <stdio.h>
#include <stdlib.h>

struct sim_mails mails;

void
sim_mails_free(void)
{
	for (uint32_t i = 0; i < mails.n; i++) {
		free(mails.v[i]->rcpts);
		buf_clear(&mails.v[i]->body);
		free(mails.v[i]);
	}
	free(mails.v);
	mails = (struct sim_mails){ .n = 0 };
}

/* ---- making one ---- */

static struct sim_mail *
mail_add(uint32_t rcpts)
{
	struct sim_mail *m = calloc(1, sizeof(*m));

	MUST(m != NULL);
	m->number = mails.n;
	m->rcpt_count = rcpts;
	m->rcpts = calloc(rcpts, sizeof(*m->rcpts));
	buf_init(&m->body, 1 << 24);
	mails.v = realloc(mails.v, (mails.n + 1) * sizeof(struct sim_mail *));
	MUST(m->rcpts != NULL && mails.v != NULL);
	mails.v[mails.n++] = m;
	m->since = sim_clock_now();
	return m;
}

static size_t
body_bytes(void)
{
	unsigned kind = (unsigned)sim_below(40);

	if (kind == 0)
		return 60000 + (size_t)sim_below(80000);
	return kind < 6 ? (size_t)sim_below(20000) : (size_t)sim_below(1500);
}

static void
put_body(struct sim_mail *m)
{
	size_t bytes = body_bytes();
	uint64_t dice = rng_u64(&sim.dice);

	(void)snprintf(m->mark, sizeof(m->mark), "m%u-%016jx", m->number,
	    (uintmax_t)dice);
	buf_addf(&m->body, "X-Mark: %s\r\nSubject: %u\r\n\r\n", m->mark,
	    m->number);
	while (m->body.n < bytes) {
		dice = dice * UINT64_C(6364136223846793005) + 1;
		buf_addf(&m->body, "%016jx%016jx.%016jx\r\n",
		    (uintmax_t)dice, (uintmax_t)(dice * 3),
		    (uintmax_t)(dice * 7));
	}
}

/* Nobody, one who wants no report, or an ordinary one. */
static uint8_t
choose_notify(void)
{
	unsigned kind = (unsigned)sim_below(20);

	return kind == 0 ? ENVELOPE_NOTIFY_NEVER : kind == 1 ?
	    ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_DELAY : 0;
}

struct sim_mail *
sim_mail_new(void)
{
	uint32_t rcpts = sim_chance(600) ? 1 : sim_chance(950) ?
	    1 + (uint32_t)sim_below(6) : 1 + (uint32_t)sim_below(SIM_RCPTS);
	unsigned domains = 1 + (unsigned)sim_below(SIM_DOMAINS);
	struct sim_mail *m = mail_add(rcpts);

	m->is_list = rcpts > 1 && sim_chance(rcpts > 6 ? 500 : 60);
	/* who is told, then, is who is asked about its parts */
	if (m->is_list || !sim_chance(120))
		(void)snprintf(m->sender, sizeof(m->sender), "s%u@d%u.sim",
		    m->number, (unsigned)sim_below(SIM_DOMAINS));
	for (uint32_t i = 0; i < rcpts; i++) {
		(void)snprintf(m->rcpts[i].address, SIM_ADDRESS,
		    "r%u-%u@d%u.sim", m->number, i,
		    (unsigned)sim_below(domains));
		m->rcpts[i].notify = choose_notify();
	}
	put_body(m);
	return m;
}

/* ---- finding one ---- */

struct sim_mail *
sim_mail_by_id(uint64_t id)
{
	for (uint32_t i = 0; i < mails.n; i++)
		if (mails.v[i]->id == id || (mails.v[i]->is_list &&
		    mails.v[i]->id != 0 && id > mails.v[i]->id &&
		    id <= mails.v[i]->id + SIM_LIST_IDS))
			return mails.v[i];
	return NULL;
}

struct sim_mail *
sim_mail_by_token(uint64_t token)
{
	for (uint32_t i = 0; i < mails.n; i++)
		if (mails.v[i]->token == token && token != 0)
			return mails.v[i];
	return NULL;
}

struct sim_mail *
sim_mail_by_rcpt(struct span address, struct sim_rcpt **rcpt)
{
	char text[SIM_ADDRESS];
	unsigned number, row;

	(void)snprintf(text, sizeof(text), "%.*s", (int)address.n,
	    (const char *)address.p);
	if (sscanf(text, "r%u-%u@", &number, &row) != 2 ||
	    number >= mails.n || row >= mails.v[number]->rcpt_count ||
	    strcmp(mails.v[number]->rcpts[row].address, text) != 0)
		return NULL;
	*rcpt = &mails.v[number]->rcpts[row];
	return mails.v[number];
}

uint64_t
sim_mail_id_of_row(const struct sim_mail *m, size_t row)
{
	return m->is_list ? m->id + 1 + row / SIM_BLOCK : m->id;
}

unsigned
sim_domain_of(const char *address)
{
	const char *at = strchr(address, '@');
	unsigned d = 0;

	return at != NULL && sscanf(at, "@d%u.", &d) == 1 && d < SIM_DOMAINS ?
	    d : 0;
}

/* ---- what is seen of it ---- */

void
sim_mail_answered(struct sim_mail *m, bool is_kept, uint64_t id)
{
	if (m->fate == SIM_KEPT && (!is_kept || id != m->id))
		sim_broken("I-01", "message %u: acknowledged, then not",
		    m->number);
	if (m->id != 0 && is_kept && id != m->id)
		sim_broken("I-01", "message %u: acknowledged under another "
		    "id than it is leased by", m->number);
	if (m->fate != SIM_OPEN)
		return;
	sim_trace("message %u: %s %jx", m->number,
	    is_kept ? "kept" : "turned away", (uintmax_t)id);
	m->fate = is_kept ? SIM_KEPT : SIM_TURNED_AWAY;
	if (is_kept)
		m->id = id;
	m->kept = sim_clock_now();
	/* it came earlier, perhaps before a clock was lost */
	m->kept.behind = m->since.behind;
	sim_note(is_kept ? SIM_ACCEPTED : SIM_REFUSED);
	if (is_kept && m->is_list)
		sim_note(SIM_LISTS);
}

void
sim_mail_check_content(const struct sim_mail *m, struct span content)
{
	static const char head[] = "Received: by self.sim id ";
	struct buf want;

	buf_init(&want, 1 << 24);
	if (!m->is_report) {
		char id[QUEUE_ID_SIZE];

		queue_id_format(m->id, id);
		buf_addf(&want, "%s%s; now\r\n", head, id);
	}
	buf_add_span(&want, buf_span(&m->body));
	if (!span_equal(buf_span(&want), content))
		sim_broken("I-09", "message %u was altered", m->number);
	buf_clear(&want);
}

void
sim_mail_delivered(struct sim_mail *m, struct sim_rcpt *r)
{
	r->deliveries++;
	sim_note(SIM_DELIVERED);
	if (m->fate == SIM_TURNED_AWAY)
		sim_broken("I-01", "message %u was refused, and delivered",
		    m->number);
	if (r->reports > 0 && !r->may_repeat)
		sim_broken("I-02", "%s was reported as failed, and delivered",
		    r->address);
	if (r->deliveries == 1)
		return;
	sim_note(SIM_REPEATED);
	if (r->deliveries > r->may_deliver + r->late)
		sim_broken("I-03", "%s was delivered %u times", r->address,
		    r->deliveries);
	if (r->deliveries > 1 + r->doubts && !r->is_unmarked)
		sim_broken("I-03", "%s was delivered %u times, and in doubt %u",
		    r->address, r->deliveries, r->doubts);
}

void
sim_rcpt_excuse(struct sim_rcpt *r)
{
	r->may_repeat = true;
	if (r->may_deliver < r->deliveries + 1)
		r->may_deliver = r->deliveries + 1;
}

int64_t
sim_mail_life(const struct sim_mail *m)
{
	return m->is_report ? world.conf->queue.report_expire_ms :
	    world.conf->queue.expire_ms;
}

/* ---- reports ---- */

static struct span
line_value(struct span line, const char *field)
{
	size_t n = strlen(field);

	if (line.n < n || memcmp(line.p, field, n) != 0)
		return SPAN_NONE;
	return span_from(line, n);
}

static void
report_of_failure(struct sim_rcpt *r)
{
	r->reports++;
	if (r->reports > 1)
		sim_broken("I-02", "%s is reported twice", r->address);
	if (r->deliveries > 0 && !r->may_repeat)
		sim_broken("I-02", "%s is reported, and was delivered",
		    r->address);
	if (!r->is_told_failed && !r->is_expired)
		sim_broken("I-08", "%s is reported without a cause",
		    r->address);
	if (r->notify == ENVELOPE_NOTIFY_NEVER)
		sim_broken("I-08", "%s: NOTIFY=NEVER, and reported",
		    r->address);
}

/* A report about a report names its one recipient, a sender. */
static void
take_row(struct sim_mail *m, struct sim_mail *about, struct span address,
    bool is_delay)
{
	struct sim_rcpt *r = NULL;

	/* its smtpd may not have heard its id yet */
	if (about == NULL)
		about = sim_mail_by_rcpt(address, &r);
	if (about != NULL && about->is_report && span_equal(address,
	    span_str(about->rcpts[0].address)))
		r = &about->rcpts[0];
	else if (sim_mail_by_rcpt(address, &r) != about)
		r = NULL;
	if (about == NULL || r == NULL) {
		sim_broken("I-08", "a report about nobody: %.*s",
		    (int)address.n, (const char *)address.p);
		return;
	}
	m->about = about->number;
	m->is_delay = is_delay;
	if (!is_delay)
		report_of_failure(r);
}

static struct span
next_line(struct span *rest)
{
	struct span line = span_sub(*rest, 0, span_find(*rest, '\n'));

	*rest = span_from(*rest, line.n + 1);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

bool
sim_mail_unseen(uint64_t id)
{
	uint32_t number = UINT32_MAX;
	bool is_report = false;
	struct sim_mail *m;
	struct sim_moment at;

	while (number == UINT32_MAX &&
	    sim_log_reported(id, &at, &id, &number)) {
		is_report = true;
		if ((m = sim_mail_by_id(id)) != NULL)
			m->has_vanished_report = true;
	}
	if (number < mails.n)
		mails.v[number]->has_vanished_report = true;
	return is_report;
}

/* Every recipient that the report names, with what it says of it.  The copy
 * of the message follows: it may be a report, too. */
static void
read_report(struct sim_mail *m)
{
	struct span rest = buf_span(&m->body), address = SPAN_NONE, v;
	struct sim_mail *about = NULL;
	uint64_t id;

	while (rest.n > 0) {
		struct span line = next_line(&rest);

		v = line_value(line, "X-Mtad-Queue-Id: ");
		if (v.n > 0 && queue_id_parse(v, &id) == OK)
			about = sim_mail_by_id(id);
		if (v.n > 0 && about == NULL && sim_mail_unseen(id)) {
			m->is_about_unseen = true;
			return;
		}
		v = line_value(line, "Final-Recipient: rfc822; ");
		if (v.n > 0)
			address = v;
		v = line_value(line, "Action: ");
		if (v.n > 0 && address.n > 0) {
			take_row(m, about, address,
			    span_equal(v, SPAN_LIT("delayed")));
			address = SPAN_NONE;
		}
		if (span_starts_nocase(line, SPAN_LIT("Content-Type: "
		    "message/rfc822")))
			return;
	}
}

/* One for each message: that is, for each part of a list. */
static unsigned
delays_of(const struct sim_mail *m)
{
	return m->is_list ? (m->rcpt_count + SIM_BLOCK - 1) / SIM_BLOCK : 1;
}

static void
check_report(struct sim_mail *m, struct span addressee)
{
	struct sim_mail *about = mails.v[m->about];
	bool is_to_postmaster = span_starts_nocase(addressee,
	    SPAN_LIT("postmaster@"));

	if (m->is_about_unseen)
		return;
	if (about == m) {
		sim_broken("I-08", "a report that names nobody");
		return;
	}
	if (about->is_report != is_to_postmaster || (!about->is_report &&
	    !span_equal(addressee, span_str(about->sender))))
		sim_broken("I-08", "a report about message %u went to %.*s",
		    about->number, (int)addressee.n,
		    (const char *)addressee.p);
	if (about->is_report && mails.v[about->about]->is_report)
		sim_broken("I-08", "a report about a report about a report");
	if (about->fate == SIM_TURNED_AWAY)
		sim_broken("I-08", "a report about refused mail");
	if (m->is_delay && ++about->delay_reports > delays_of(about))
		sim_broken("I-08", "message %u: two notices of delay",
		    about->number);
	if (!m->is_delay)
		about->failure_reports++;
	if (about->is_report)
		sim_note(SIM_REPORT_FAILED);
	if (m->is_delay && sim_age_most(about->since, m->since) <
	    world.conf->queue.warn_ms)
		sim_broken("I-08", "message %u: a notice too early",
		    about->number);
}

struct sim_mail *
sim_mail_report(uint64_t id, struct span addressee, struct span content)
{
	struct sim_mail *m = mail_add(1);
	uint64_t about;
	uint32_t number;

	m->id = id;
	if (!sim_log_reported(id, &m->since, &about, &number))
		sim_broken("I-10", "a report that the log does not know");
	m->kept = m->since;
	m->fate = SIM_KEPT;
	m->is_report = true;
	m->about = m->number;
	buf_add_span(&m->body, content);
	(void)snprintf(m->rcpts[0].address, SIM_ADDRESS, "%.*s",
	    (int)addressee.n, (const char *)addressee.p);
	read_report(m);
	check_report(m, addressee);
	sim_note(m->is_delay ? SIM_DELAY_REPORTS : SIM_REPORTS);
	sim_trace("report %u about message %u", m->number, m->about);
	return m;
}
