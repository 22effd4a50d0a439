#include "deliverd/early.h"

#include "deliverd/session_dial.h"

/* The clock is looked at as often while there is somebody to hurry. */
#define LOOK_MS 250

int64_t
early_patience_ms(uint32_t n, uint32_t total)
{
	uint32_t few = total / 4;
	uint32_t many = total - few;

	if (n <= few || total < EARLY_PLACES)
		return INT64_MAX;
	if (n >= many)
		return EARLY_LEAST_MS;
	return EARLY_LEAST_MS + (EARLY_MOST_MS - EARLY_LEAST_MS) *
	    (int64_t)(many - n) / (int64_t)(many - few);
}

/* The oldest first; each one that goes makes the others' time longer. */
static void
on_look(void *ctx)
{
	struct early *e = ctx;
	int64_t now = loop_now_ms(e->loop);
	struct list *node;

	while ((node = list_first(&e->sessions)) != NULL) {
		struct session *s = CONTAINER_OF(node, struct session, early);

		if (now - s->made_at_ms < early_patience_ms(e->n,
		    s->settings->connections_total))
			break;
		session_dial_abandon(s);
	}
	if (e->n > 0)
		timer_start(&e->look, LOOK_MS);
}

enum err
early_init(struct early *e, struct loop *loop)
{
	e->loop = loop;
	e->n = 0;
	list_init(&e->sessions);
	return timer_init(&e->look, loop, on_look, e);
}

void
early_clear(struct early *e)
{
	timer_clear(&e->look);
}

void
early_add(struct early *e, struct session *s)
{
	s->made_at_ms = loop_now_ms(e->loop);
	list_add_last(&e->sessions, &s->early);
	e->n++;
	if (!timer_is_running(&e->look))
		timer_start(&e->look, LOOK_MS);
}

void
early_remove(struct early *e, struct session *s)
{
	if (!list_is_linked(&s->early))
		return;
	list_remove(&s->early);
	e->n--;
}
