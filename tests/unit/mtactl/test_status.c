/* The status of the processes and of the queue. */
#include "mtactl/status.h"

#include <criterion/criterion.h>

#define NOW	UINT64_C(1800000000000)

static struct output o;
static struct buf processes, figures;
static struct msg_ctl_figures status;

static void
add_process(uint8_t role, uint16_t index, uint32_t pid, uint32_t restarts)
{
	struct msg_process p = { .role = role, .index = index, .pid = pid,
		.restarts = restarts, .started_at = NOW - 65000 };

	msg_put_process(&processes, &p);
	status.processes.n++;
	status.processes.bytes = buf_span(&processes);
}

static void
add_figure(const char *name, uint64_t value)
{
	struct msg_figure f = { .name = span_str(name), .value = value };

	msg_put_figure(&figures, &f);
	status.figures.n++;
	status.figures.bytes = buf_span(&figures);
}

static void
setup(void)
{
	memset(&o, 0, sizeof(o));
	memset(&status, 0, sizeof(status));
	buf_init(&o.b, 65536);
	buf_init(&processes, 65536);
	buf_init(&figures, 65536);
	status.version = SPAN_LIT("0.1.0");
	add_process(ROLE_PARENT, 0, 10, 0);
	add_process(ROLE_SMTPD, 0, 11, 0);
	add_process(ROLE_SMTPD, 1, 12, 3);
	add_process(ROLE_QUEUED, 0, 0, 1);
	add_process(99, 0, 13, 0);
	add_figure("messages", 7);
	add_figure("disk_bytes", 2048);
	add_figure("bytes", 10);
	add_figure("uptime_ms", 65000);
	add_figure("is_accepting", 1);
}

static void
teardown(void)
{
	buf_clear(&o.b);
	buf_clear(&processes);
	buf_clear(&figures);
}

TestSuite(status, .init = setup, .fini = teardown);

static void
expect(const char *text)
{
	status_show(&o, &status, NOW);
	cr_expect(span_equal(buf_span(&o.b), span_str(text)), "%.*s",
	    (int)o.b.n, o.b.p);
}

Test(status, for_people)
{
	expect("mtad 0.1.0\n"
	    "\n"
	    "PROCESS            PID        UP  RESTARTS\n"
	    "mtad                10     1m05s         0\n"
	    "smtpd               11     1m05s         0\n"
	    "smtpd               12     1m05s         3\n"
	    "queued            down         -         1\n"
	    "unknown             13     1m05s         0\n"
	    "\n"
	    "QUEUE\n"
	    "messages                       7\n"
	    "disk                      2.0KiB\n"
	    "bytes                        10B\n"
	    "uptime                     1m05s\n"
	    "accepting                    yes\n");
}

#define STARTED "\"started\":\"2027-01-15T07:58:55.000Z\","

Test(status, for_programs)
{
	o.is_json = true;
	expect("{\"v\":1,\"version\":\"0.1.0\",\"pids\":{\"mtad\":[10],"
	    "\"smtpd\":[11,12],\"queued\":[],\"deliverd\":[],\"keyd\":[],"
	    "\"dnsd\":[],\"fetchd\":[]},"
	    "\"processes\":["
	    "{\"name\":\"mtad\",\"index\":0,\"pid\":10," STARTED
	    "\"restarts\":0},"
	    "{\"name\":\"smtpd\",\"index\":0,\"pid\":11," STARTED
	    "\"restarts\":0},"
	    "{\"name\":\"smtpd\",\"index\":1,\"pid\":12," STARTED
	    "\"restarts\":3},"
	    "{\"name\":\"queued\",\"index\":0,\"pid\":0," STARTED
	    "\"restarts\":1},"
	    "{\"name\":\"unknown\",\"index\":0,\"pid\":13," STARTED
	    "\"restarts\":0}],"
	    "\"figures\":{\"messages\":7,\"disk_bytes\":2048,\"bytes\":10,"
	    "\"uptime_ms\":65000,\"is_accepting\":true}}\n");
}

Test(status, nothing_known)
{
	memset(&status.processes, 0, sizeof(status.processes));
	memset(&status.figures, 0, sizeof(status.figures));
	o.is_json = true;
	expect("{\"v\":1,\"version\":\"0.1.0\",\"pids\":{\"mtad\":[],"
	    "\"smtpd\":[],\"queued\":[],\"deliverd\":[],"
	    "\"keyd\":[],\"dnsd\":[],\"fetchd\":[]},"
	    "\"processes\":[],\"figures\":{}}\n");
}
