#include "queued/keep/keep_mail.h"

#include "common/base/json.h"
#include "common/base/mtime.h"
#include "common/base/wire.h"
#include "common/mail/address.h"
#include "common/mail/queue_id.h"
#include "common/os/file.h"
#include "queued/keep/keep_rest.h"
#include "queued/store/store_read.h"

#include <stdio.h>
#include <unistd.h>

enum { NAME_BYTES = QUEUE_ID_SIZE + 8, PIECE = 1 << 20, UNITS_MAX = 1 << 20 };

#define CONTENT_MAX ((size_t)64 << 20)
#define ENVELOPE_MAX ((size_t)1 << 30)
#define GAPS_MAX ((size_t)16 << 20)

static void
name_of(uint64_t id, const char *ending, char out[NAME_BYTES])
{
	char text[QUEUE_ID_SIZE];

	queue_id_format(id, text);
	(void)snprintf(out, NAME_BYTES, "%s.%s", text, ending);
}

static enum err
make(const struct keep_mail *w, const char *name, int *fd)
{
	*fd = -1;
	if (w->dir_fd < 0)
		return OK;
	return file_open_beneath(w->dir_fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, fd);
}

/* ---- the content ---- */

static enum err
copy_content(struct keep_store *k, const struct store_message *m, int fd)
{
	uint64_t size = store_message_size(m);
	struct buf b;
	enum err e = OK;

	buf_init(&b, CONTENT_MAX);
	for (uint64_t at = 0; at < size && e == OK; at += b.n) {
		buf_reset(&b);
		e = store_content(k->store, m, at, PIECE, &b);
		/* whatever it is: it can't be read */
		if (e != ERR_NOMEM && (e != OK || b.n == 0))
			e = ERR_CORRUPT;
		if (e == OK && fd >= 0)
			e = file_write_all(fd, b.p, b.n);
	}
	buf_clear(&b);
	return e;
}

static enum err
save_content(struct keep_mail *w, struct keep_store *k,
    const struct store_message *m)
{
	char name[NAME_BYTES];
	int fd;
	enum err e;

	name_of(m->id, "eml", name);
	if ((e = make(w, name, &fd)) != OK)
		return e;
	e = copy_content(k, m, fd);
	if (fd >= 0)
		(void)close(fd);
	if (e != OK && fd >= 0)
		(void)unlinkat(w->dir_fd, name, 0);
	return e;
}

/* Nobody could say to whom it goes. */
static void
drop_content(const struct keep_mail *w, uint64_t id)
{
	char name[NAME_BYTES];

	name_of(id, "eml", name);
	if (w->dir_fd >= 0)
		(void)unlinkat(w->dir_fd, name, 0);
}

/* ---- the envelope ---- */

static void
put_head(struct json *j, const struct store_message *m)
{
	char text[QUEUE_ID_SIZE], at[MTIME_UTC_SIZE];

	json_object(j);
	json_key(j, "v");
	json_u64(j, 1);
	queue_id_format(m->id, text);
	json_key(j, "id");
	json_str(j, text);
	json_key(j, "from");
	json_string(j, m->sender);
	json_key(j, "arrived");
	mtime_format_utc((int64_t)m->arrived_at, at);
	json_str(j, at);
	json_key(j, "size");
	json_u64(j, store_message_size(m));
	json_key(j, "held");
	json_bool(j, m->is_held);
	json_key(j, "recipients");
	json_array(j);
}

static uint64_t
put_unit(struct json *j, const struct store_unit *u)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < u->count; i++) {
		if (u->recipients[i].is_settled)
			continue;
		json_string(j, u->recipients[i].address);
		n++;
	}
	return n;
}

/* The address before or behind a gap. */
static void
tell_gap(struct keep_mail *w, struct span address)
{
	wire_put_span(&w->gaps, address);
}

/* Those that were not begun: its own unit only stands for them. */
static enum err
put_rest(struct keep_mail *w, struct json *j, struct keep_rest *r,
    uint64_t *recipients)
{
	struct envelope_rcpt rcpt = { .address = SPAN_NONE };
	bool is_gap = false;
	struct buf last;
	enum err e;

	buf_init(&last, ADDRESS_MAX);
	while ((e = keep_rest_next(r, &rcpt)) == OK || e == ERR_CORRUPT) {
		if (e == ERR_CORRUPT) {
			tell_gap(w, buf_span(&last));
		} else {
			json_string(j, rcpt.address);
			++*recipients;
		}
		if (e == OK && is_gap)
			tell_gap(w, rcpt.address);
		if (e == OK) {
			buf_reset(&last);
			buf_add_span(&last, rcpt.address);
		}
		is_gap = e == ERR_CORRUPT;
	}
	if (is_gap)
		tell_gap(w, SPAN_NONE);
	buf_clear(&last);
	return e == ERR_NOT_FOUND ? OK : e;
}

/* None that is there, or more than its record says, is no list to go by. */
static enum err
put_list(struct keep_mail *w, struct json *j, struct keep_store *k,
    const struct store_message *m, uint64_t *recipients)
{
	uint64_t left = m->list.total - m->list.count;
	struct keep_rest r;
	enum err e;

	keep_rest_init(&r, k->store, m);
	e = put_rest(w, j, &r, recipients);
	keep_rest_clear(&r);
	if (e == OK && buf_failed(&w->gaps))
		return ERR_NOMEM;
	if (e == OK && *recipients != left) {
		e = ERR_CORRUPT;
		if (*recipients > 0 && *recipients < left)
			w->missing = left - *recipients;
	}
	return e;
}

static enum err
put_recipients(struct keep_mail *w, struct json *j, struct keep_store *k,
    const struct store_message *m, uint64_t *recipients)
{
	uint32_t units = m->unit_count;
	struct store_unit *u;
	enum err e = OK;

	if (store_is_list(m))
		return put_list(w, j, k, m, recipients);
	for (uint32_t i = 0; i < units && e == OK; i++) {
		e = store_load_unit(k->store, m->id, i, &u);
		if (e == OK)
			*recipients += put_unit(j, u);
		if (e == ERR_NOT_FOUND)		/* settled */
			e = OK;
	}
	return e;
}

/* How far a list has come, so that one finds in it where it stopped. */
static void
put_tail(const struct keep_mail *w, struct json *j,
    const struct store_message *m)
{
	json_array_end(j);
	if (store_is_list(m)) {
		json_key(j, "begun");
		json_u64(j, m->list.count);
		json_key(j, "missing");
		json_u64(j, w->missing);
	}
	json_object_end(j);
}

static enum err
write_envelope(const struct keep_mail *w, uint64_t id, const struct buf *b)
{
	char name[NAME_BYTES];
	int fd = -1;
	enum err e;

	name_of(id, "json", name);
	e = buf_failed(b) ? ERR_NOMEM : make(w, name, &fd);
	if (e == OK && fd >= 0)
		e = file_write_all(fd, b->p, b->n);
	if (fd >= 0)
		(void)close(fd);
	return e;
}

/* ERR_CORRUPT: it was written if some are `missing' only. */
static enum err
save_envelope(struct keep_mail *w, struct keep_store *k,
    const struct store_message *m, uint64_t *recipients)
{
	struct json j;
	struct buf b;
	enum err e, written = OK;

	buf_init(&b, ENVELOPE_MAX);
	json_init(&j, &b);
	put_head(&j, m);
	e = put_recipients(w, &j, k, m, recipients);
	put_tail(w, &j, m);
	buf_add_byte(&b, '\n');
	if (e == OK || w->missing > 0)
		written = write_envelope(w, m->id, &b);
	buf_clear(&b);
	return written != OK ? written : e;
}

/* ---- a message ---- */

void
keep_mail_init(struct keep_mail *w)
{
	*w = (struct keep_mail){ .dir_fd = -1 };
	buf_init(&w->gaps, GAPS_MAX);
}

void
keep_mail_clear(struct keep_mail *w)
{
	if (w->dir_fd >= 0)
		(void)close(w->dir_fd);
	w->dir_fd = -1;
	buf_clear(&w->gaps);
}

/* Any unit that is left leads to its message. */
static enum err
find(struct keep_store *k, uint64_t id, struct store_unit **out)
{
	enum err e = ERR_NOT_FOUND;

	for (uint32_t i = 0; e == ERR_NOT_FOUND && i < UNITS_MAX; i++)
		e = store_load_unit(k->store, id, i, out);
	return e;
}

static enum err
save(struct keep_mail *w, struct keep_store *k, const struct store_message *m)
{
	uint64_t recipients = 0;
	enum err e = save_content(w, k, m);

	if (e != OK)
		return e;
	if ((e = save_envelope(w, k, m, &recipients)) == ERR_CORRUPT) {
		w->damaged = "its list of recipients is damaged";
		if (w->missing == 0)
			drop_content(w, m->id);
	}
	if (e == OK || w->missing > 0) {
		w->messages++;
		w->recipients += recipients;
	}
	return e;
}

enum err
keep_mail_save(struct keep_mail *w, struct keep_store *k, uint64_t id)
{
	struct store_unit *u;
	enum err e = find(k, id, &u);

	w->damaged = "its content is damaged";
	w->missing = 0;
	buf_reset(&w->gaps);
	if (e == OK)
		e = save(w, k, u->message);
	keep_store_yield(k, id);
	return e;
}
