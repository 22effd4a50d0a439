#include "queued/keep/keep_mail.h"

#include "common/base/json.h"
#include "common/base/mtime.h"
#include "common/mail/queue_id.h"
#include "common/os/file.h"
#include "queued/store/store_list.h"
#include "queued/store/store_read.h"

#include <stdio.h>
#include <unistd.h>

enum { NAME_BYTES = QUEUE_ID_SIZE + 8, PIECE = 1 << 20, UNITS_MAX = 1 << 20 };

#define CONTENT_MAX ((size_t)64 << 20)
#define ENVELOPE_MAX ((size_t)1 << 30)

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

/* Those that were not begun: its own unit only stands for them. */
static enum err
put_list(struct json *j, struct keep_store *k, struct store_message *m,
    uint64_t *recipients)
{
	struct store_list at = m->list;
	struct envelope_iter it;
	struct envelope_rcpt r;
	struct envelope block;
	enum err e;

	while ((e = store_list_read(k->store, m, &at, &block)) == OK) {
		envelope_iter_init(&block, &it);
		while (envelope_iter_next(&it, &r)) {
			json_string(j, r.address);
			++*recipients;
		}
	}
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err
put_recipients(struct json *j, struct keep_store *k,
    struct store_message *m, uint64_t *recipients)
{
	uint32_t units = m->unit_count;
	struct store_unit *u;

	if (store_is_list(m))
		return put_list(j, k, m, recipients);
	for (uint32_t i = 0; i < units; i++)
		if (store_load_unit(k->store, m->id, i, &u) == OK)
			*recipients += put_unit(j, u);
	return OK;
}

static enum err
save_envelope(struct keep_mail *w, struct keep_store *k,
    struct store_message *m, uint64_t *recipients)
{
	char name[NAME_BYTES];
	struct json j;
	struct buf b;
	int fd = -1;
	enum err e;

	buf_init(&b, ENVELOPE_MAX);
	json_init(&j, &b);
	put_head(&j, m);
	name_of(m->id, "json", name);
	e = put_recipients(&j, k, m, recipients);
	json_array_end(&j);
	json_object_end(&j);
	buf_add_byte(&b, '\n');
	if (e == OK)
		e = buf_failed(&b) ? ERR_NOMEM : make(w, name, &fd);
	if (e == OK && fd >= 0)
		e = file_write_all(fd, b.p, b.n);
	if (fd >= 0)
		(void)close(fd);
	buf_clear(&b);
	return e;
}

/* ---- a message ---- */

/* Any unit that is left leads to its message. */
static enum err
find(struct keep_store *k, uint64_t id, struct store_unit **out)
{
	enum err e = ERR_NOT_FOUND;

	for (uint32_t i = 0; e == ERR_NOT_FOUND && i < UNITS_MAX; i++)
		e = store_load_unit(k->store, id, i, out);
	return e;
}

enum err
keep_mail_save(struct keep_mail *w, struct keep_store *k, uint64_t id)
{
	struct store_unit *u;
	uint64_t recipients = 0;
	enum err e = find(k, id, &u);

	w->damaged = "its content is damaged";
	if (e == OK)
		e = save_content(w, k, u->message);
	if (e == OK && (e = save_envelope(w, k, u->message, &recipients)) ==
	    ERR_CORRUPT) {
		w->damaged = "its list of recipients is damaged";
		drop_content(w, id);
	}
	if (e == OK) {
		w->messages++;
		w->recipients += recipients;
	}
	keep_store_yield(k, id);
	return e;
}
