/*
 * A tree of three levels below each destination: bands (a priority), clients,
 * senders; units stand in the senders' lines.  A line exists while something
 * is below it: whoever adds makes the missing ones, whoever takes the last
 * unit out ends them, from the leaf upwards.
 *
 * Clients and senders take turns by deficit round robin.  The first of a ring
 * is served as long as it has credit; without, it gets a turn's worth and goes
 * to the end.  What a unit costs is bounded, and each step around a ring gives
 * credit that some unit uses up: COST_MAX steps a unit on average.
 *
 * Bands go by stride: each has a pass, the least is served and moves on by its
 * stride.  A band that begins, begins at the pass served last plus its stride,
 * so one of high priority is soon served and none is before its share.  A band
 * of priority P waits for at most the turns that others may have while the
 * pass grows by the stride of P: 64 of a band of 9 for one of -9, the least.
 */
#include "queued/plan/plan_fair.h"

#include "common/base/check.h"
#include "common/base/text.h"
#include "queued/plan/plan_params.h"

#include <stdlib.h>

enum {
	TURN = 1,			/* credit for each time around */
	COST_MAX = 8,
	COST_BYTES = 256 * 1024,	/* that cost one more */
	SPARE_MAX = 256,		/* lines kept for the next */
	SENDER_MAX = 512,		/* bytes of it that count */
};

struct plan_line {
	struct list turn;		/* of the ring above; of the spare */
	struct list below;		/* ring of lines, or a leaf's seats */
	struct list deep;		/* of plan_fair.deep */
	struct plan_line *parent;	/* NULL: a band */
	struct plan_lines *lines;
	uint64_t id;			/* in the map; not of a band */
	uint64_t pass;			/* of a band */
	uint32_t count;			/* of a leaf: its seats */
	int32_t credit;			/* of the others */
	int8_t priority;
	bool is_leaf;
};

/* 1000 * 2^(-p/3), for p from -9 to 9. */
static const uint16_t strides[2 * PLAN_PRIORITY_MAX + 1] = {
	8000, 6350, 5040, 4000, 3175, 2520, 2000, 1587, 1260, 1000,
	794, 630, 500, 397, 315, 250, 198, 157, 125,
};

static uint64_t
stride_of(int8_t priority)
{
	return strides[priority + PLAN_PRIORITY_MAX];
}

static struct plan_line *
line_of(struct list *turn)
{
	return CONTAINER_OF(turn, struct plan_line, turn);
}

/* ---- whose unit it is ---- */

/* bounces+42-user=example.com@d, list-return-7-user=example.com@d: what is
 * different in each message goes. */
static size_t
without_verp(struct span local, uint8_t *out)
{
	size_t end = span_find(local, '+'), n = 0;

	if (end == local.n && (end = span_find(local, '=')) < local.n)
		while (end > 0 && local.p[end] != '-')
			end--;
	if (end == 0)
		end = local.n;
	for (size_t i = 0; i < end && n < SENDER_MAX; i++) {
		bool is_digit = text_is_digit(local.p[i]);

		if (!is_digit || n == 0 || out[n - 1] != '0')
			out[n++] = is_digit ? '0' :
			    text_lower_byte(local.p[i]);
	}
	return n;
}

static uint64_t
hash_sender(const struct plan_fair *f, uint64_t client, struct span sender)
{
	uint8_t bytes[2 * SENDER_MAX + 8];
	size_t at = sender.n;
	struct span domain;
	size_t n;

	while (at > 0 && sender.p[at - 1] != '@')
		at--;
	n = without_verp(span_sub(sender, 0, at), bytes);
	domain = span_sub(span_from(sender, at), 0, SENDER_MAX);
	text_lower(domain, bytes + n);
	n += domain.n;
	memcpy(bytes + n, &client, sizeof(client));
	return siphash(&f->seed, span_of(bytes, n + sizeof(client)));
}

static uint8_t
cost_of(uint64_t size)
{
	return size / COST_BYTES >= COST_MAX - 1 ? COST_MAX :
	    (uint8_t)(1 + size / COST_BYTES);
}

void
plan_fair_seat(const struct plan_fair *f, struct plan_seat *seat,
    struct span client, struct span sender, uint64_t size, int8_t priority)
{
	list_init(&seat->link);
	seat->client = siphash(&f->seed, client.n > 4 ?
	    span_sub(client, 0, 8) : client);
	seat->sender = hash_sender(f, seat->client, sender);
	seat->cost = cost_of(size);
	seat->priority = priority < -PLAN_PRIORITY_MAX ? -PLAN_PRIORITY_MAX :
	    priority > PLAN_PRIORITY_MAX ? PLAN_PRIORITY_MAX : priority;
}

/* Of a line in the map: the hashes are good ones already. */
static uint64_t
id_of(const struct plan_lines *lines, uint64_t hash, int8_t priority)
{
	uint64_t id = hash ^ lines->salt * UINT64_C(0x9e3779b97f4a7c15);

	id += (uint64_t)(priority + PLAN_PRIORITY_MAX);
	id ^= id >> 32;
	return id * UINT64_C(0xd6e8feb86659fd93);
}

/* ---- life ---- */

void
plan_fair_init(struct plan_fair *f, const struct siphash_key *seed)
{
	*f = (struct plan_fair){ .seed = *seed };
	map_u64_init(&f->map, seed);
	list_init(&f->spare);
	list_init(&f->deep);
}

void
plan_fair_clear(struct plan_fair *f)
{
	struct list *node;

	while ((node = list_take_first(&f->spare)) != NULL)
		free(line_of(node));
	f->n_spare = 0;
	map_u64_clear(&f->map);
}

void
plan_lines_init(struct plan_fair *f, struct plan_lines *lines)
{
	list_init(&lines->bands);
	list_init(&lines->rest);
	lines->pass = 0;
	lines->salt = ++f->salt;
}

static void
line_free(struct plan_fair *f, struct plan_line *line)
{
	if (line->parent != NULL)
		map_u64_remove(&f->map, line->id);
	list_remove(&line->turn);
	if (f->n_spare >= SPARE_MAX) {
		free(line);
		return;
	}
	list_add_first(&f->spare, &line->turn);
	f->n_spare++;
}

/* Below PARENT, or in the bands; NULL without memory. */
static struct plan_line *
line_new(struct plan_fair *f, struct plan_lines *lines,
    struct plan_line *parent, uint64_t id, int8_t priority)
{
	struct list *node = list_take_first(&f->spare);
	struct plan_line *line = node != NULL ? line_of(node) :
	    malloc(sizeof(*line));

	f->n_spare -= node != NULL ? 1 : 0;
	if (line == NULL)
		return NULL;
	*line = (struct plan_line){ .parent = parent, .lines = lines,
	    .id = id, .priority = priority, .credit = TURN,
	    .pass = lines->pass + stride_of(priority) };
	list_init(&line->turn);
	list_init(&line->below);
	list_init(&line->deep);
	if (parent != NULL && map_u64_add(&f->map, id, line) != OK) {
		free(line);
		return NULL;
	}
	list_add_last(parent != NULL ? &parent->below : &lines->bands,
	    &line->turn);
	return line;
}

/* Ends LINE if nothing is below it, and then those above. */
static void
prune(struct plan_fair *f, struct plan_line *line)
{
	while (line != NULL && list_is_empty(&line->below)) {
		struct plan_line *parent = line->parent;

		line_free(f, line);
		line = parent;
	}
}

/* ---- finding a line ---- */

static struct plan_line *
find_band(const struct plan_lines *lines, int8_t priority)
{
	struct list *node = list_first(&lines->bands);

	while (node != NULL && line_of(node)->priority != priority)
		node = list_next(&lines->bands, node);
	return node != NULL ? line_of(node) : NULL;
}

/* Two that hash alike would be one line: of another destination or level it
 * can't be used. */
static struct plan_line *
find_line(const struct plan_fair *f, const struct plan_lines *lines,
    uint64_t id, bool is_leaf)
{
	struct plan_line *line = map_u64_get(&f->map, id);

	return line != NULL && line->lines == lines &&
	    line->is_leaf == is_leaf ? line : NULL;
}

static struct plan_line *
client_line(struct plan_fair *f, struct plan_lines *lines,
    const struct plan_seat *seat)
{
	uint64_t id = id_of(lines, seat->client, seat->priority);
	struct plan_line *line = find_line(f, lines, id, false);
	struct plan_line *band;

	if (line != NULL)
		return line;
	band = find_band(lines, seat->priority);
	if (band == NULL)
		band = line_new(f, lines, NULL, 0, seat->priority);
	if (band == NULL)
		return NULL;
	line = line_new(f, lines, band, id, seat->priority);
	if (line == NULL)
		prune(f, band);
	return line;
}

/* The line that SEAT belongs into; NULL without memory. */
static struct plan_line *
sender_line(struct plan_fair *f, struct plan_lines *lines,
    const struct plan_seat *seat)
{
	uint64_t id = id_of(lines, seat->sender, seat->priority);
	struct plan_line *line = find_line(f, lines, id, true);
	struct plan_line *client;

	if (line != NULL)
		return line;
	client = client_line(f, lines, seat);
	if (client == NULL)
		return NULL;
	line = line_new(f, lines, client, id, seat->priority);
	if (line == NULL)
		prune(f, client);
	else
		line->is_leaf = true;
	return line;
}

/* ---- in and out ---- */

static void
count(struct plan_fair *f, struct plan_line *line, int by)
{
	bool was_deep = line->count > PLAN_LINE_DEPTH;
	bool is_deep;

	line->count += (uint32_t)by;
	is_deep = line->count > PLAN_LINE_DEPTH;
	if (is_deep && !was_deep) {
		list_add_last(&f->deep, &line->deep);
		f->n_deep++;
	} else if (was_deep && !is_deep) {
		list_remove(&line->deep);
		f->n_deep--;
	}
}

void
plan_fair_add(struct plan_fair *f, struct plan_lines *lines,
    struct plan_seat *seat)
{
	struct plan_line *line = sender_line(f, lines, seat);

	seat->line = line;
	if (line == NULL) {
		list_add_last(&lines->rest, &seat->link);
		return;
	}
	list_add_last(&line->below, &seat->link);
	count(f, line, 1);
}

/* First in its line, its line before the others; what the turn had cost is
 * given back. */
void
plan_fair_back(struct plan_fair *f, struct plan_lines *lines,
    struct plan_seat *seat)
{
	uint64_t cost = seat->cost * stride_of(seat->priority);
	struct plan_line *line;

	plan_fair_add(f, lines, seat);
	line = seat->line;
	if (line == NULL)
		return;
	list_remove(&seat->link);
	list_add_first(&line->below, &seat->link);
	for (; line->parent != NULL; line = line->parent) {
		line->credit = line->credit + seat->cost > TURN ? TURN :
		    line->credit + seat->cost;
		list_remove(&line->turn);
		list_add_first(&line->parent->below, &line->turn);
	}
	line->pass = line->pass > cost ? line->pass - cost : 0;
	list_remove(&line->turn);	/* of equal ones the first is served */
	list_add_first(&lines->bands, &line->turn);
}

void
plan_fair_remove(struct plan_fair *f, struct plan_seat *seat)
{
	struct plan_line *line = seat->line;

	list_remove(&seat->link);
	seat->line = NULL;
	if (line == NULL)
		return;
	count(f, line, -1);
	prune(f, line);
}

/* ---- turns ---- */

static struct plan_line *
least_band(const struct plan_lines *lines)
{
	struct list *node = list_first(&lines->bands);
	struct plan_line *least = node != NULL ? line_of(node) : NULL;

	while (node != NULL) {
		if (line_of(node)->pass < least->pass)
			least = line_of(node);
		node = list_next(&lines->bands, node);
	}
	return least;
}

/* The line in RING that is served; one that is alone owes nobody. */
static struct plan_line *
with_credit(struct list *ring)
{
	struct plan_line *line;

	while ((line = line_of(list_first(ring)))->credit <= 0) {
		if (list_next(ring, &line->turn) == NULL) {
			line->credit = TURN;
			break;
		}
		line->credit += TURN;
		list_remove(&line->turn);
		list_add_last(ring, &line->turn);
	}
	return line;
}

struct plan_seat *
plan_fair_next(struct plan_fair *f, struct plan_lines *lines)
{
	struct list *node = list_first(&lines->rest);
	struct plan_line *band, *client, *line;
	struct plan_seat *seat;

	if (node == NULL) {
		if ((band = least_band(lines)) == NULL)
			return NULL;
		client = with_credit(&band->below);
		line = with_credit(&client->below);
		seat = CONTAINER_OF(list_first(&line->below),
		    struct plan_seat, link);
		lines->pass = band->pass;
		band->pass += seat->cost * stride_of(band->priority);
		client->credit -= seat->cost;
		line->credit -= seat->cost;
	} else {
		seat = CONTAINER_OF(node, struct plan_seat, link);
	}
	plan_fair_remove(f, seat);
	return seat;
}

/* ---- inspection ---- */

uint32_t
plan_fair_depth(const struct plan_fair *f, const struct plan_lines *lines,
    const struct plan_seat *seat)
{
	const struct plan_line *line = seat->line != NULL ? seat->line :
	    find_line(f, lines, id_of(lines, seat->sender, seat->priority),
	    true);

	return line != NULL ? line->count : 0;
}

struct plan_seat *
plan_fair_spare(struct plan_fair *f, uint32_t depth, uint32_t *looks)
{
	struct list *node;

	while (*looks > 0 && (node = list_first(&f->deep)) != NULL) {
		struct plan_line *line =
		    CONTAINER_OF(node, struct plan_line, deep);

		(*looks)--;
		if (line->count > depth)
			return CONTAINER_OF(list_last(&line->below),
			    struct plan_seat, link);
		list_remove(node);
		list_add_last(&f->deep, node);
	}
	return NULL;
}
