/* What was left out of a round, and all of it. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/check.h"
#include "deliverd/hops/hops_note.h"
#include "tests/unit/deliverd/hops_world.h"

/* "host address why;" for each note; `given` for each address. */
static void
walk_noted(struct world *w, struct hops_setup *setup, char *notes)
{
	struct hops *h = NULL;
	struct hops_question question;
	const struct hops_note *list;
	struct hop hop;
	enum hops_step step;
	size_t n, at = 0;

	setup->wants_notes = true;
	cr_assert_eq(hops_new(setup, &h), OK);
	w->log[0] = '\0';
	while ((step = hops_next(h, &question, &hop)) != HOPS_OVER) {
		char text[ENDPOINT_TEXT_SIZE];

		cr_assert_neq(step, HOPS_AWAIT, "answered at once");
		if (step == HOPS_ASK) {
			world_answer(w, h, &question);
			continue;
		}
		(void)endpoint_format(&hop.at, text);
		(void)snprintf(w->log + strlen(w->log),
		    sizeof(w->log) - strlen(w->log), "%s%s/%u%s%s",
		    w->log[0] != '\0' ? " " : "", text,
		    (unsigned)hop.preference, hop.is_drawn ? "/lot" : "",
		    hop.is_beyond ? "/beyond" : "");
	}
	n = hops_notes(h, &list);
	notes[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char ip[IPADDR_TEXT_SIZE] = "-";

		if (list[i].ip.family != IPADDR_NONE)
			ipaddr_format(&list[i].ip, ip);
		at += (size_t)snprintf(notes + at, 1024 - at, "%s %s %d%s%s;",
		    list[i].host[0] != '\0' ? list[i].host : "-", ip,
		    (int)list[i].why, list[i].text[0] != '\0' ? " " : "",
		    list[i].text);
		cr_assert_not_null(hops_why_text(list[i].why));
	}
	hops_free(&h);
}

static const struct noted {
	const char *domain, *log, *notes;
} noted[] = {
	{ "own.example", "192.0.2.1:25/10",
	    "self.example - 1;m3.example - 3;" },
	{ "listen.example", "192.0.2.1:25/10",
	    "us.example 192.0.2.25 2;m3.example - 3;" },
	{ "inside.example", "192.0.2.3:25/20",
	    "in.example 127.0.0.1 4;in.example 0.0.0.0 4;" },
	{ "names.example", "192.0.2.1:25/40",
	    "none.example - 7;empty.example - 8;fail.example - 9 SERVFAIL;" },
	{ "local.example", "192.0.2.1:25/10", "- - 0 localhost;" },
	{ "literal.example", "192.0.2.9:25/0", "" },
};

Test(hops, notes)
{
	static const char *const names[] = {
		"own.example MX 10 m1.example,20 self.example,30 m3.example",
		"listen.example MX 10 m1.example,20 us.example,30 m3.example",
		"inside.example MX 10 in.example,20 m3.example",
		"names.example MX 10 none.example,20 empty.example,"
		    "30 fail.example,40 m1.example",
		"local.example MX 5 localhost,10 m1.example",
		"literal.example A 192.0.2.9",
		"m1.example A 192.0.2.1", "us.example A 192.0.2.25",
		"m3.example A 192.0.2.3", "in.example A 127.0.0.1,0.0.0.0",
		"none.example A NXDOMAIN", "none.example AAAA NXDOMAIN",
		"fail.example A SERVFAIL", "fail.example AAAA SERVFAIL",
		NULL,
	};
	struct world w = { .names = names };
	char notes[1024];

	for (size_t i = 0; i < COUNT_OF(noted); i++) {
		struct hops_setup setup = world_setup(&world_by_mx, 1,
		    noted[i].domain);

		walk_noted(&w, &setup, notes);
		cr_expect_str_eq(w.log, noted[i].log, "%s: %s",
		    noted[i].domain, w.log);
		cr_expect_str_eq(notes, noted[i].notes, "%s: %s",
		    noted[i].domain, notes);
	}
}

/* The first of what is given out of the whole is the round. */
Test(hops, whole)
{
	static const char *const names[] = {
		"d.example MX 10 m1.example,20 m2.example,20 m3.example",
		"m1.example A 192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4",
		"m2.example A 192.0.2.5,192.0.2.6",
		"m3.example A 192.0.2.7", NULL,
	};
	struct world w = { .names = names };
	struct hops_setup setup = world_setup(&world_by_mx, 1, "d.example");
	char round[2048], notes[1024];
	unsigned n = 0, beyond = 0;

	walk_noted(&w, &setup, notes);
	(void)snprintf(round, sizeof(round), "%s", w.log);
	setup.is_whole = true;
	walk_noted(&w, &setup, notes);
	for (char *save, *word = strtok_r(w.log, " ", &save); word != NULL;
	    word = strtok_r(NULL, " ", &save)) {
		n++;
		if (strstr(word, "/beyond") != NULL)
			beyond++;
		else
			cr_expect_not_null(strstr(round, word), "%s in %s",
			    word, round);
	}
	cr_expect_eq(n, 7);
	cr_expect_eq(beyond, 2);
	cr_expect_not_null(strstr(round, "/10/lot"), "%s", round);
	cr_expect_not_null(strstr(round, "/20/lot"), "%s", round);
}
