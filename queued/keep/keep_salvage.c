#include "queued/keep/keep_salvage.h"

#include "common/base/json.h"
#include "common/base/wire.h"
#include "common/mail/queue_id.h"
#include "common/os/copy.h"
#include "common/os/file.h"
#include "queued/journal/journal_event.h"
#include "queued/keep/keep_known.h"
#include "queued/keep/keep_mail.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_MAX ((size_t)256 << 20)

static const char scratch[] = "scratch";
static const char *const scratch_folders[] = { "log", "body", "index", "" };

struct salvage {
	struct copy_dir *dir;
	const struct survey_sink *sink;
	bool wants_mail;
	struct survey_manifest copy;
	struct keep_known known;
	struct keep_store store;
	struct keep_mail mail;
	struct buf check;		/* what was found in the copy, as JSON */
	struct buf lost;		/* JSON: elements of an array */
	struct json lost_json;
	uint64_t lost_n;
	uint64_t missing;		/* recipients of lists saved in part */
};

/* ---- what is lost ---- */

struct origin {
	struct span sender, recipient;
	struct buf words;		/* of both */
};

static bool
take_origin(void *ctx, const struct journal_record *r)
{
	struct origin *o = ctx;
	struct journal_accepted a;
	struct journal_recipient first = { .address = SPAN_NONE };

	if (r->type != JOURNAL_ACCEPTED ||
	    journal_accepted_get(r->fields, &a) != OK)
		return true;
	(void)journal_recipient_next(&a.list, &first);
	buf_add_span(&o->words, a.sender);
	buf_add_span(&o->words, first.address);
	if (buf_failed(&o->words))
		return false;
	o->sender = span_of(o->words.p, a.sender.n);
	o->recipient = span_of(o->words.p + a.sender.n, first.address.n);
	return false;
}

static void
put_end(struct json *j, const char *key, struct span address)
{
	json_key(j, key);
	if (address.n > 0)
		json_string(j, address);
	else
		json_null(j);
}

static void
gather_gaps(struct salvage *s, struct json *j)
{
	struct wire w;

	json_key(j, "missing");
	json_u64(j, s->mail.missing);
	json_key(j, "gaps");
	json_array(j);
	wire_init(&w, buf_span(&s->mail.gaps));
	while (wire_more(&w)) {
		json_object(j);
		put_end(j, "after", wire_span(&w, s->mail.gaps.n));
		put_end(j, "before", wire_span(&w, s->mail.gaps.n));
		json_object_end(j);
	}
	json_array_end(j);
}

static void
gather_lost(struct salvage *s, const char *id, const struct origin *o,
    const char *why, bool is_part)
{
	struct json *j = &s->lost_json;

	json_object(j);
	json_key(j, "id");
	json_str(j, id);
	json_key(j, "from");
	json_string(j, o->sender);
	json_key(j, "to");
	json_string(j, o->recipient);
	json_key(j, "why");
	json_str(j, why);
	if (is_part)
		gather_gaps(s, j);
	json_object_end(j);
}

static void
say_gaps(struct salvage *s, struct buf *line)
{
	struct wire w;

	wire_init(&w, buf_span(&s->mail.gaps));
	while (wire_more(&w)) {
		struct span after = wire_span(&w, s->mail.gaps.n);
		struct span before = wire_span(&w, s->mail.gaps.n);

		buf_add_str(line, "    missing: those behind ");
		buf_add_span(line, after.n > 0 ? after :
		    SPAN_LIT("its begin"));
		buf_add_str(line, " and before ");
		buf_add_span(line, before.n > 0 ? before :
		    SPAN_LIT("its end"));
		buf_add_byte(line, '\n');
	}
}

static void
say_lost(struct salvage *s, const char *id, const struct origin *o,
    const char *why, bool is_part)
{
	struct buf line;

	buf_init(&line, OUT_MAX);
	buf_addf(&line, "not saved: ");
	if (is_part)
		buf_addf(&line, "%" PRIu64 " recipients of ", s->mail.missing);
	buf_addf(&line, "message %s from <", id);
	buf_add_span(&line, o->sender);
	buf_add_str(&line, "> to <");
	buf_add_span(&line, o->recipient);
	buf_addf(&line, ">: %s\n", why);
	if (is_part)
		say_gaps(s, &line);
	s->sink->text(s->sink->ctx, buf_span(&line));
	buf_clear(&line);
}

/* With what the history knows of it.  IS_PART: all but some recipients of a
 * list were saved, as mail. */
static void
name_lost(struct salvage *s, uint64_t id, const char *why, bool is_part)
{
	struct origin o = { .sender = SPAN_NONE, .recipient = SPAN_NONE };
	char text[QUEUE_ID_SIZE];

	queue_id_format(id, text);
	buf_init(&o.words, 64 * 1024);
	(void)journal_read_message(s->known.journal, id, take_origin, &o);
	s->lost_n += !is_part;
	s->missing += is_part ? s->mail.missing : 0;
	if (s->sink->is_json)
		gather_lost(s, text, &o, why, is_part);
	else
		say_lost(s, text, &o, why, is_part);
	buf_clear(&o.words);
}

/* ---- the scratch ---- */

static void
empty_folder(int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	const struct dirent *entry;

	if (dir == NULL) {
		(void)close(dir_fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
}

/* What it holds is flat; a directory that is not ours stays. */
static void
remove_scratch(const struct salvage *s)
{
	int at = openat(s->dir->dir_fd, scratch,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	for (size_t i = 0; at >= 0 && i < sizeof(scratch_folders) /
	    sizeof(scratch_folders[0]); i++) {
		const char *name = scratch_folders[i];
		int fd = openat(at, name[0] != '\0' ? name : ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (fd >= 0)
			empty_folder(fd);
		if (name[0] != '\0')
			(void)unlinkat(at, name, AT_REMOVEDIR);
	}
	if (at >= 0)
		(void)close(at);
	(void)unlinkat(s->dir->dir_fd, scratch, AT_REMOVEDIR);
}

/* By another name: a store never writes again what something links to.
 * Where there are no links, a copy. */
static enum err
put_in_scratch(struct salvage *s, int at, const struct survey_file *f)
{
	int from = -1, to = -1;
	enum err e;

	if (strcmp(f->name, "spool") == 0 ||
	    linkat(s->dir->dir_fd, f->name, at, f->name, 0) == 0 ||
	    errno == ENOENT)
		return OK;
	e = file_open_beneath(s->dir->dir_fd, f->name, O_RDONLY | O_CLOEXEC,
	    0, &from);
	if (e == OK)
		e = file_open_beneath(at, f->name,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &to);
	if (e == OK)
		e = copy_file(from, to, f->bytes, NULL, NULL);
	if (from >= 0)
		(void)close(from);
	if (to >= 0)
		(void)close(to);
	return e;
}

static enum err
make_scratch(struct salvage *s, struct why *why)
{
	enum err e = OK;
	int at;

	if (mkdirat(s->dir->dir_fd, scratch, 0700) != 0 ||
	    (at = openat(s->dir->dir_fd, scratch,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return why_set(why, ERR_IO, "%s: %s", scratch,
		    strerror(errno));
	for (size_t i = 0; i < 2 && e == OK; i++)
		e = mkdirat(at, scratch_folders[i], 0700) == 0 ? OK : ERR_IO;
	for (size_t i = 0; i < s->copy.n && e == OK; i++)
		e = put_in_scratch(s, at, &s->copy.files[i]);
	if (e == OK && fchdir(at) != 0)
		e = ERR_IO;
	if (e != OK)
		(void)why_set(why, e, "the messages can't be read: %s",
		    e == ERR_IO ? strerror(errno) : err_text(e));
	(void)close(at);
	return e;
}

/* ---- messages ---- */

static enum err
save(void *ctx, struct keep_store *k, uint64_t id)
{
	struct salvage *s = ctx;
	enum err e = keep_mail_save(&s->mail, k, id);

	if (e == ERR_CORRUPT)
		name_lost(s, id, s->mail.damaged, s->mail.missing > 0);
	return e == ERR_CORRUPT || e == ERR_NOT_FOUND ? OK : e;
}

static enum err
name_missing(struct salvage *s)
{
	struct buf ids;
	uint64_t id;
	enum err e;

	buf_init(&ids, OUT_MAX);
	e = keep_known_missing(&s->known, &s->store, &ids);
	for (size_t i = 0; e == OK && i + sizeof(id) <= ids.n;
	    i += sizeof(id)) {
		memcpy(&id, ids.p + i, sizeof(id));
		name_lost(s, id, "there is no record of it that can be read",
		    false);
	}
	buf_clear(&ids);
	return e;
}

static enum err
read_messages(struct salvage *s, struct why *why)
{
	enum err e = keep_store_open(&s->store, 0, &s->known.listener, why);

	if (e != OK)
		return e;
	e = keep_known_apply(&s->known, &s->store);
	if (e == OK)
		e = keep_store_each(&s->store, save, s);
	if (e == OK)
		e = name_missing(s);
	keep_store_close(&s->store);
	return e == OK ? OK : why_set(why, e, "the messages can't be read: "
	    "%s", err_text(e));
}

static enum err
open_mail(struct salvage *s, struct why *why)
{
	if (mkdirat(s->dir->dir_fd, "mail", 0700) == 0)
		s->mail.dir_fd = openat(s->dir->dir_fd, "mail",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->mail.dir_fd >= 0 ? OK :
	    why_set(why, ERR_IO, "mail: %s", strerror(errno));
}

/* The history was copied with the rest; its reader stays with that. */
static enum err
take_stock(struct salvage *s, struct why *why)
{
	enum err e = survey_manifest_read(s->dir->dir_fd, &s->copy, why);

	if (e == OK)
		e = keep_known_open(&s->known, &s->copy, why);
	if (e == OK && s->wants_mail)
		e = open_mail(s, why);
	if (e == OK && (e = make_scratch(s, why)) == OK)
		e = read_messages(s, why);
	/* one call for all of its files */
	if (e == OK && s->wants_mail && syncfs(s->mail.dir_fd) != 0)
		e = why_set(why, ERR_IO, "mail: %s", strerror(errno));
	if (fchdir(s->dir->dir_fd) == 0)
		remove_scratch(s);
	return e;
}

/* ---- the verdict ---- */

static const char *
word(enum survey_verdict verdict)
{
	return verdict == SURVEY_SOUND ? "saved" :
	    verdict == SURVEY_DAMAGED ? "saved, damaged" : "failed";
}

static void
put_json(struct salvage *s, enum survey_verdict verdict, const char *failure,
    struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "v");
	json_u64(&j, 1);
	json_key(&j, "verdict");
	json_str(&j, word(verdict));
	if (failure != NULL) {
		json_key(&j, "why");
		json_str(&j, failure);
	}
	json_key(&j, "messages");
	json_u64(&j, s->mail.messages);
	json_key(&j, "recipients");
	json_u64(&j, s->mail.recipients);
	json_key(&j, "unreadable_bytes");
	json_u64(&j, s->dir->unreadable);
	json_array_end(&s->lost_json);
	buf_add_str(out, ",\"not_saved\":");
	buf_add_span(out, buf_span(&s->lost));
	if (s->check.n > 1) {
		buf_add_str(out, ",\"copy\":");
		buf_add(out, s->check.p, s->check.n - 1);
	}
	buf_add_str(out, "}\n");
}

static void
put_text(const struct salvage *s, const char *failure, struct buf *out)
{
	if (s->dir->unreadable > 0)
		buf_addf(out, "unreadable: %" PRIu64 " bytes in all\n",
		    s->dir->unreadable);
	if (failure != NULL)
		buf_addf(out, "FAILED: %s\n", failure);
	else
		buf_addf(out, "saved: %" PRIu64 " messages for %" PRIu64
		    " recipients; not saved: %" PRIu64 "\n",
		    s->mail.messages, s->mail.recipients, s->lost_n);
	if (failure == NULL && s->missing > 0)
		buf_addf(out, "not saved of lists of recipients: %" PRIu64
		    "; %s\n", s->missing, s->wants_mail ?
		    "all others are in mail" : "a restored spool goes on up "
		    "to the damage, *.json of --mail beyond it");
}

static void
gather_check(void *ctx, struct span text)
{
	struct salvage *s = ctx;

	buf_add_span(&s->check, text);
}

static void
pass_progress(void *ctx, uint64_t done, uint64_t total)
{
	const struct salvage *s = ctx;

	s->sink->progress(s->sink->ctx, done, total);
}

static enum survey_verdict
run(struct salvage *s, struct why *why)
{
	const struct survey_sink quiet = { .text = gather_check,
	    .progress = pass_progress, .ctx = s, .is_json = true };
	enum survey_verdict verdict = keep_out(s->dir, true,
	    s->sink->is_json ? &quiet : s->sink);

	if (verdict == SURVEY_FAILED) {
		(void)why_set(why, ERR_IO, "the spool can't be copied");
		return verdict;
	}
	if (take_stock(s, why) != OK)
		return SURVEY_FAILED;
	return s->lost_n > 0 || s->missing > 0 || s->dir->unreadable > 0 ? SURVEY_DAMAGED :
	    verdict;
}

enum survey_verdict
keep_salvage(struct copy_dir *d, bool wants_mail,
    const struct survey_sink *sink)
{
	struct salvage *s = calloc(1, sizeof(*s));
	struct why why = { .text = "" };
	enum survey_verdict verdict;
	struct buf out;

	if (s == NULL)
		return SURVEY_FAILED;
	s->dir = d;
	s->sink = sink;
	s->wants_mail = wants_mail;
	keep_mail_init(&s->mail);
	buf_init(&s->check, OUT_MAX);
	buf_init(&s->lost, OUT_MAX);
	buf_init(&out, OUT_MAX);
	json_init(&s->lost_json, &s->lost);
	json_array(&s->lost_json);
	verdict = run(s, &why);
	if (sink->is_json)
		put_json(s, verdict, verdict == SURVEY_FAILED ? why.text :
		    NULL, &out);
	else
		put_text(s, verdict == SURVEY_FAILED ? why.text : NULL, &out);
	sink->text(sink->ctx, buf_span(&out));
	keep_mail_clear(&s->mail);
	keep_known_clear(&s->known);
	survey_manifest_clear(&s->copy);
	buf_clear(&out);
	buf_clear(&s->lost);
	buf_clear(&s->check);
	free(s);
	return verdict;
}
