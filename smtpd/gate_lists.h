/*
 * The lists in the DNS (RFC 5782) of gate.blocklists and gate.allowlists, and
 * what has been found out about them.
 *
 * Checks of clients that are under way keep the lists of before a reload.
 */
#ifndef MTAD_SMTPD_GATE_LISTS_H
#define MTAD_SMTPD_GATE_LISTS_H

#include "common/conf/conf.h"
#include "common/conf/conf_dnslist.h"
#include "common/ipc/ask.h"

#define GATE_LISTS_MAX	32
#define GATE_TEST_EVERY_MS (60 * 60 * 1000)	/* a list may be given up */
#define GATE_QUIET_MS	60000	/* between two lines about one list */

struct server;

struct gate_list {
	char zone[CONF_DNSLIST_ZONE_MAX + 1];
	struct conf_dnslist match;
	bool is_broken;			/* lists everybody: not believed */
	bool is_told;			/* that it is, or is not */
	int64_t quiet_until_ms;
};

struct gate_lists {
	struct server *server;
	unsigned refs;
	size_t n_block;			/* those first */
	size_t n;
	struct gate_list v[];
};

enum gate_answer {
	GATE_NO,
	GATE_YES,
	GATE_FAILED,		/* nobody can tell */
};

/* The server's: its questions, its lists, and their tests, now and later. */
enum err gate_open(struct server *sv);
enum err gate_reload(struct server *sv, const struct conf *conf);
void gate_close(struct server *sv);

/* life: one reference.  ERR_NOMEM. */
enum err gate_lists_new(struct server *sv, const struct conf *conf,
    struct gate_lists **out);
struct gate_lists *gate_lists_ref(struct gate_lists *g);
void gate_lists_drop(struct gate_lists **g);

/* RFC 5782 section 5: 127.0.0.2 is listed and 127.0.0.1 is not. */
void gate_lists_test(struct gate_lists *g);

/* What the answer to a question for A says.  Answers outside of 127.0.0.0/8
 * are none, and 127.255.255.0/24 says that we may not ask. */
enum gate_answer gate_list_read(struct gate_lists *g, size_t i,
    const struct msg_dns_answer *a);

#endif
