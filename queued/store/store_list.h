/*
 * Messages with very many recipients (struct store_list): they come before the
 * body, into the same file (store_body.h), and are begun block by block, so
 * that nobody ever has all of them in memory (I-04).
 *
 * A list is accepted as any message with a large body is, by the one record
 * that names the whole, synced file (I-01).  Beginning a block appends two
 * records to one group: the part, and how far the list has come; so each
 * recipient is begun once, whatever dies.  The ids of the parts follow that of
 * their list: it keeps STORE_LIST_PARTS of them free.
 */
#ifndef MTAD_QUEUED_STORE_STORE_LIST_H
#define MTAD_QUEUED_STORE_STORE_LIST_H

#include "common/base/wire.h"
#include "common/mail/envelope.h"
#include "queued/store/store_write.h"

/* The one recipient of a list's one unit, which stands for those that were not
 * begun, and the key of that unit; both are no real ones. */
#define STORE_LIST_ADDRESS SPAN_LIT("remaining-recipients")
#define STORE_LIST_KEY SPAN_LIT("(list)")

/* As store_body_open(); of what is added the first bytes are recipients, in
 * the form of an envelope's.  Whoever adds them has checked each. */
enum err store_list_open(struct store *s, uint64_t token);

/*
 * Begins the next block (STORE_UNIT_RECIPIENTS) of the list that LIST is the
 * unit of: *PART is the first unit of a message that exists from now on.  KEYS:
 * key_of() and ctx count.  ERR_NOT_FOUND: all are begun, and a verdict may end the list;
 * ERR_CORRUPT: its bytes are damaged, it is under quarantine now; ERR_AGAIN
 * (its record is not placed yet) and the errors of store_submit().
 */
enum err store_list_begin(struct store *s, struct store_unit *list,
    const struct store_submission *keys, struct store_unit **part);

/* Appends N bytes of LIST's recipients from AT on, begun or not.  ERR_CORRUPT:
 * one of the blocks (STORE_BODY_BLOCK of the file) that they lie in is damaged;
 * ERR_AGAIN as above, ERR_IO, ERR_NOMEM. */
enum err store_list_bytes(struct store *s, const struct store_message *list,
    uint64_t at, size_t n, struct buf *out);

static inline bool
store_list_is_begun(const struct store_message *m)
{
	return m->list.count == m->list.total;
}

/* ---- for the store ---- */

struct message;

/* In records and rows.  IS_FILE: what else is said of the message. */
void store_list_put(struct buf *out, const struct store_list *l);
void store_list_get(struct wire *w, bool is_file, struct store_list *l);

/* Fields of a record of type STORE_RECORD_BEGUN: a list has come so far. */
void store_list_put_begun(struct buf *out, uint64_t at, uint32_t count);
enum err store_list_get_begun(struct span fields, uint64_t *at,
    uint32_t *count);

/* Whether such a record may follow what M says, or says the same; its effect
 * on M. */
bool store_list_begun_fits(const struct message *m, uint64_t at,
    uint32_t count);
void store_list_apply_begun(struct store *s, struct message *m, uint64_t at,
    uint32_t count);

/* How far its list M has come with a PART that is begun next: what the record
 * beside it says too, if that can be read.  False: it is not the next. */
struct store_record_message;
bool store_list_reaches(const struct message *m,
    const struct store_record_message *part, uint64_t *at, uint32_t *count);

/* Whether M's file is another message's too; on doubt it is. */
bool store_list_is_shared(struct store *s, const struct message *m);

#endif
