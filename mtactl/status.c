/*
 * `status`.  Figures have names and values, and the name says what the value
 * is (is_… a truth, …_ms a time, …bytes a size); so a figure that queued adds
 * needs no line here, for people nor for programs.
 */
#include "mtactl/status.h"

/* Columns; a negative width aligns to the right. */
enum { NAME_WIDTH = 22, PROCESS_WIDTH = 12, NUMBER_WIDTH = -10 };

/* ---- for programs ---- */

/* "smtpd": [17, 18]; those of ROLE in the order of their numbers. */
static void
json_pids(struct json *j, const struct msg_ctl_figures *m, enum ipc_role role)
{
	struct msg_list list = m->processes;
	struct msg_process p;

	json_key(j, ipc_role_name(role));
	json_array(j);
	while (msg_next_process(&list, &p))
		if (p.role == role && p.pid != 0)
			json_u64(j, p.pid);
	json_array_end(j);
}

/* Also those that are down; `pids` has those that run. */
static void
json_processes(struct json *j, const struct msg_ctl_figures *m)
{
	struct msg_list list = m->processes;
	struct msg_process p;

	json_key(j, "processes");
	json_array(j);
	while (msg_next_process(&list, &p)) {
		json_object(j);
		json_key(j, "name");
		json_str(j, ipc_role_name((enum ipc_role)p.role));
		json_key(j, "index");
		json_u64(j, p.index);
		json_key(j, "pid");
		json_u64(j, p.pid);
		output_json_time(j, "started", p.started_at);
		json_key(j, "restarts");
		json_u64(j, p.restarts);
		json_object_end(j);
	}
	json_array_end(j);
}

static bool
is_flag(struct span name)
{
	return span_starts_nocase(name, SPAN_LIT("is_"));
}

/* Names are keys as they come: a new figure is a new member. */
static void
json_figures(struct json *j, const struct msg_ctl_figures *m)
{
	struct msg_list list = m->figures;
	struct msg_figure f;

	json_key(j, "figures");
	json_object(j);
	while (msg_next_figure(&list, &f)) {
		char name[64 + 1];

		/* longer than messages.def allows: can't be */
		if (!span_copy(f.name, name, sizeof(name)))
			continue;
		json_key(j, name);
		if (is_flag(f.name))
			json_bool(j, f.value != 0);
		else
			json_u64(j, f.value);
	}
	json_object_end(j);
}

/* Every role has its array, also without processes: scripts index by name. */
static void
show_json(struct output *o, const struct msg_ctl_figures *m)
{
	/* keyd only where there is one: later builds have it */
	static const enum ipc_role roles[] = {
		ROLE_PARENT, ROLE_SMTPD, ROLE_QUEUED, ROLE_DELIVERD, ROLE_KEYD,
		ROLE_DNSD, ROLE_FETCHD
	};
	struct json j;

	json_init(&j, &o->b);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "version");
	json_string(&j, m->version);
	json_key(&j, "pids");
	json_object(&j);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		json_pids(&j, m, roles[i]);
	json_object_end(&j);
	json_processes(&j, m);
	json_figures(&j, m);
	json_object_end(&j);
	if (json_done(&j) != OK)
		o->is_failed = true;
	buf_add_byte(&o->b, '\n');
}

/* ---- for people ---- */

/* One that is down is waiting for its next start. */
static void
put_process(struct output *o, const struct msg_process *p, uint64_t now)
{
	output_padded(o, span_str(ipc_role_name((enum ipc_role)p->role)),
	    PROCESS_WIDTH);
	if (p->pid == 0) {
		output_coloured(o, OUTPUT_RED, "down", NUMBER_WIDTH);
		output_padded(o, SPAN_LIT("-"), NUMBER_WIDTH);
	} else {
		output_number(o, p->pid, NUMBER_WIDTH);
		output_age(o, p->started_at, now, NUMBER_WIDTH);
	}
	output_number(o, p->restarts, NUMBER_WIDTH);
	buf_add_byte(&o->b, '\n');
}

static void
put_processes(struct output *o, const struct msg_ctl_figures *m, uint64_t now)
{
	struct msg_list list = m->processes;
	struct msg_process p;

	output_coloured(o, OUTPUT_BOLD, "PROCESS", PROCESS_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "PID", NUMBER_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "UP", NUMBER_WIDTH);
	output_coloured(o, OUTPUT_BOLD, "RESTARTS", NUMBER_WIDTH);
	buf_add_byte(&o->b, '\n');
	while (msg_next_process(&list, &p))
		put_process(o, &p, now);
}

static bool
ends_with(struct span s, struct span end)
{
	return s.n >= end.n && span_equal(span_from(s, s.n - end.n), end);
}

/* A figure's name says its unit; people see words instead of underscores. */
static void
put_figure(struct output *o, const struct msg_figure *f)
{
	struct span name = f->name;
	size_t before = o->b.n;

	if (is_flag(name))
		name = span_from(name, 3);
	if (ends_with(name, SPAN_LIT("_ms")))
		name.n -= 3;
	else if (ends_with(name, SPAN_LIT("_bytes")))
		name.n -= 6;
	output_padded(o, name, NAME_WIDTH);
	/* in place, behind the escaping */
	for (size_t i = before; !buf_failed(&o->b) && i < o->b.n; i++)
		if (o->b.p[i] == '_')
			o->b.p[i] = ' ';
	if (is_flag(f->name))
		output_padded(o, f->value ? SPAN_LIT("yes") : SPAN_LIT("no"),
		    NUMBER_WIDTH);
	else if (ends_with(f->name, SPAN_LIT("_ms")))
		output_age(o, 0, f->value, NUMBER_WIDTH);
	else if (ends_with(f->name, SPAN_LIT("bytes")))
		output_size(o, f->value, NUMBER_WIDTH);
	else
		output_number(o, f->value, NUMBER_WIDTH);
	buf_add_byte(&o->b, '\n');
}

/* Figures in the order in which queued sends them. */
void
status_show(struct output *o, const struct msg_ctl_figures *m, uint64_t now)
{
	struct msg_list list = m->figures;
	struct msg_figure f;

	if (o->is_json) {
		show_json(o, m);
		return;
	}
	buf_add_str(&o->b, "mtad ");
	output_text(o, m->version);
	buf_add_str(&o->b, "\n\n");
	put_processes(o, m, now);
	buf_add_byte(&o->b, '\n');
	output_coloured(o, OUTPUT_BOLD, "QUEUE", 0);
	buf_add_byte(&o->b, '\n');
	while (msg_next_figure(&list, &f))
		put_figure(o, &f);
}
