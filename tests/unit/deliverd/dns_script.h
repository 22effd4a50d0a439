/*
 * The cases of tests/replay/dns/answers.txt, which says how they are written.
 */
#ifndef MTAD_TESTS_DELIVERD_DNS_SCRIPT_H
#define MTAD_TESTS_DELIVERD_DNS_SCRIPT_H

#include "common/base/buf.h"

#define DNS_SCRIPT_ROWS 40

struct dns_script_row {
	char name[128];
	char type[16];		/* "MX", "A/tcp" */
	char words[128];
	char *records;
};

struct dns_script {
	char name[64];
	bool refuses_private;
	bool is_permanent;
	char status[16];
	char tries[256];	/* addresses, as they are written */
	struct dns_script_row rows[DNS_SCRIPT_ROWS];
	size_t n_rows;
	int line;		/* of the case */
};

/* The cases of a file, one a call; false at its end. */
bool dns_script_next(void *file, int *line, struct dns_script *out);
void dns_script_clear(struct dns_script *s);

/* The row for NAME and TYPE as in the file; NULL without. */
const struct dns_script_row *dns_script_find(const struct dns_script *s,
    const char *name, const char *type);

/* Some row is about NAME. */
bool dns_script_has(const struct dns_script *s, const char *name);

/* ROW has this word. */
bool dns_script_says(const struct dns_script_row *row, const char *word);

/* The answer to the question of ROW, or an NXDOMAIN (ROW NULL) or empty one to
 * another. */
void dns_script_packet(const struct dns_script_row *row, const char *name,
    uint16_t type, uint8_t rcode, struct buf *out);

#endif
