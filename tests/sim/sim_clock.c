#include "tests/sim/sim_clock.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_world.h"

struct jumps {
	int64_t ahead, behind;
};

static struct {
	struct jumps counted;		/* as time, or as none */
	struct jumps unseen, unkept;	/* … if the living one dies now */
	bool is_unkept;
} now;

static void
add(struct jumps *to, struct jumps *from)
{
	to->ahead += from->ahead;
	to->behind += from->behind;
	*from = (struct jumps){ .ahead = 0 };
}

void
sim_clock_new(void)
{
	now.counted = now.unseen = now.unkept = (struct jumps){ .ahead = 0 };
	now.is_unkept = false;
}

struct sim_moment
sim_clock_now(void)
{
	return (struct sim_moment){ .mono = sim.mono_ms,
	    .ahead = now.counted.ahead, .behind = now.counted.behind };
}

int64_t
sim_age_most(struct sim_moment since, struct sim_moment until)
{
	return until.mono - since.mono + until.ahead - since.ahead;
}

int64_t
sim_age_least(struct sim_moment since, struct sim_moment until)
{
	return until.mono - since.mono - (until.behind - since.behind);
}

static void
jump(struct jumps *j, int64_t by_ms)
{
	if (by_ms > 0)
		j->ahead += by_ms;
	else
		j->behind -= by_ms;
}

void
sim_clock_set(int64_t by_ms)
{
	struct jumps *j = world.q == NULL ? &now.counted : &now.unseen;

	sim.wall_ms += by_ms;
	jump(j, by_ms);
}

/* What is kept is all that it ever saw.  A start sees by the log what a former
 * life could not keep, and may lose it once more. */
void
sim_clock_seen(int64_t by_ms)
{
	if (!now.is_unkept)
		now.unkept = (struct jumps){ .ahead = 0 };
	now.is_unkept = false;
	if (now.unseen.ahead == 0 && now.unseen.behind == 0)
		jump(&now.unkept, by_ms);
	add(&now.unkept, &now.unseen);
}

void
sim_clock_unkept(void)
{
	now.is_unkept = true;
}

void
sim_clock_alone(void)
{
	add(&now.counted, &now.unseen);
	if (now.is_unkept)
		add(&now.counted, &now.unkept);
	now.is_unkept = false;
	now.unkept = (struct jumps){ .ahead = 0 };
}
