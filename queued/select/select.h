/*
 * The selection language of mtactl [pure]: which messages are meant.
 *
 *   all
 *   id:ID  state:active|deferred|held  from:ADDRESS  to:ADDRESS  domain:NAME
 *   age>2h  size>=1M  tries=3		(< <= > >= = and `:` for =)
 *
 * Words are combined by blanks (and), `or`, `not` and `( )`; `not` binds
 * strongest, then `and` (which may be written), then `or`.  Addresses and
 * domains are compared without regard to case and may hold * and ?; from:<> is
 * the null sender, from:@NAME and to:@NAME any address of that domain.  to: and
 * domain: mean recipients that are not yet settled.  id: of a list (one message
 * to very many recipients) means all of it, the parts that were begun as well.
 * A value with blanks or parentheses stands in double quotes.
 *
 * Compiled once; matching allocates nothing and costs time linear in the
 * selection.  Anything malformed is ERR_SYNTAX, with the column in WHY.
 */
#ifndef MTAD_QUEUED_SELECT_SELECT_H
#define MTAD_QUEUED_SELECT_SELECT_H

#include "common/base/err.h"
#include "common/base/span.h"

enum { SELECT_TEXT_MAX = 8192, SELECT_STEPS_MAX = 1024, SELECT_DEPTH_MAX = 64 };

enum select_state {
	SELECT_ACTIVE, SELECT_DEFERRED, SELECT_HELD, SELECT_STATES
};

/* What is asked of a message; recipient() gives the I-th address not yet
 * settled, false behind the last. */
struct select_facts {
	uint64_t id;
	uint64_t list;			/* whose part it is; 0 */
	enum select_state state;
	struct span sender;
	uint64_t size;			/* bytes */
	int64_t age_ms;
	uint64_t tries;
	bool (*recipient)(const void *ctx, uint32_t i, struct span *address);
	const void *ctx;
};

struct select;

/* TEXT is copied; an empty one means all.  ERR_SYNTAX, ERR_RANGE, ERR_NOMEM. */
enum err select_compile(struct span text, struct select **out,
    struct why *why);
void select_free(struct select **s);

bool select_match(const struct select *s, const struct select_facts *facts);

/* What can be said without state, tries and recipients, which need not be
 * known: for most messages that is enough. */
enum select_answer { SELECT_NO, SELECT_MAYBE, SELECT_YES };

enum select_answer select_guess(const struct select *s,
    const struct select_facts *facts);

/* Does it select everything, whatever the facts? */
bool select_is_all(const struct select *s);

/* What everything that it matches has: by one of these it is found sooner than
 * by a walk over all.  Texts are borrowed from the selection, without * and ?;
 * case does not count. */
enum select_need_kind {
	SELECT_BY_SENDER,		/* an address; empty: the null sender */
	SELECT_BY_SENDER_DOMAIN,
	SELECT_BY_DOMAIN,		/* of a recipient */
	SELECT_BY_HELD,
	SELECT_BY_ACTIVE,
	SELECT_BY_AWAKE,		/* active or held */
	SELECT_BY_AGE,			/* between least_ms and most_ms */
};

struct select_need {
	enum select_need_kind kind;
	struct span text;
	int64_t least_ms, most_ms;
};

enum { SELECT_NEEDS_MAX = 16 };		/* of more, some are left out */

struct select_needs {
	struct select_need rows[SELECT_NEEDS_MAX];
	size_t n;
};

void select_needs(const struct select *s, struct select_needs *out);

/* Of everything that it does not match. */
void select_needs_of_others(const struct select *s, struct select_needs *out);

/* Which facts it looks at that are dear; the others need not be known. */
enum { SELECT_ASKS_STATE = 1, SELECT_ASKS_TRIES = 2 };

unsigned select_asks(const struct select *s);

/* When it can only match the message with this id, and the parts of it if it
 * is a list: no message after *ID + STORE_LIST_PARTS. */
bool select_is_one(const struct select *s, uint64_t *id);

#endif
