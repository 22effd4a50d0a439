#include "keyd/early.h"

#include "common/secret/passwords.h"

#include <string.h>

#define NAME_MAX_BYTES	((size_t)4096)
#define ROWS_MAX	((size_t)4 * 1024 * 1024)
#define HOP_ROWS_MAX	((size_t)8 * 1024 * 1024)
#define GRANT_ROWS_MAX	((size_t)4 * 1024 * 1024)

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->size);
	buf_clear(b);
}

void
early_init(struct early *early)
{
	buf_init(&early->rows, ROWS_MAX);
	buf_init(&early->hop_rows, HOP_ROWS_MAX);
	buf_init(&early->grant_rows, GRANT_ROWS_MAX);
	buf_init(&early->name, NAME_MAX_BYTES);
	buf_init(&early->file, PASSWORDS_FILE_MAX);
	buf_init(&early->dovecot, NAME_MAX_BYTES);
}

void
early_wipe(struct early *early)
{
	wipe(&early->rows);
	wipe(&early->hop_rows);
	wipe(&early->grant_rows);
	wipe(&early->name);
	wipe(&early->file);
	wipe(&early->dovecot);
}

bool
early_failed(const struct early *early)
{
	return buf_failed(&early->rows) || buf_failed(&early->hop_rows) ||
	    buf_failed(&early->grant_rows) || buf_failed(&early->name) ||
	    buf_failed(&early->file) || buf_failed(&early->dovecot);
}

/* In one piece: what grows leaves its beginning behind. */
static void
keep(struct buf *b, struct span bytes)
{
	wipe(b);
	if (bytes.n > 0 && buf_reserve(b, bytes.n) != NULL)
		buf_add_span(b, bytes);
}

void
early_keep(struct early *early, const struct msg *m)
{
	if (m->type == MSG_tls_pairs) {
		keep(&early->rows, m->tls_pairs.rows.bytes);
		early->count = m->tls_pairs.rows.n;
	} else if (m->type == MSG_hop_pairs) {
		keep(&early->hop_rows, m->hop_pairs.rows.bytes);
		early->hop_count = m->hop_pairs.rows.n;
	} else if (m->type == MSG_hop_grants) {
		keep(&early->grant_rows, m->hop_grants.rows.bytes);
		early->grant_count = m->hop_grants.rows.n;
	} else if (m->type == MSG_passwords) {
		keep(&early->name, m->passwords.name);
		keep(&early->file, m->passwords.file);
	} else if (m->type == MSG_dovecot) {
		keep(&early->dovecot, m->dovecot.path);
	}
}
