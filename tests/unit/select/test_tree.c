/* Expressions at random: what the selection says must be what the tree says
 * that it was written from, however it was written. */
#include "common/base/buf.h"
#include "common/base/rng.h"
#include "queued/select/select.h"

#include <criterion/criterion.h>

enum { ROUNDS = 5000, NODES_MAX = 40, DEPTH_MAX = 12 };

enum kind { LEAF, NOT, AND, OR };

struct node {
	enum kind kind;
	unsigned tries;			/* of a leaf: `tries=N` */
	struct node *left, *right;
};

static struct rng dice;
static struct node nodes[NODES_MAX];
static int used;

static struct node *
grow(int depth)
{
	struct node *n = &nodes[used++];

	*n = (struct node){ .kind = LEAF };
	n->tries = (unsigned)rng_below(&dice, 4);
	if (depth >= DEPTH_MAX || used > NODES_MAX - 2 * DEPTH_MAX)
		return n;
	n->kind = (enum kind)rng_below(&dice, 4);
	if (n->kind == LEAF)
		return n;
	n->left = grow(depth + 1);
	if (n->kind != NOT)
		n->right = grow(depth + 1);
	return n;
}

static bool
truth(const struct node *n, unsigned tries)
{
	switch (n->kind) {
	case LEAF:
		return n->tries == tries;
	case NOT:
		return !truth(n->left, tries);
	case AND:
		return truth(n->left, tries) && truth(n->right, tries);
	default:
		return truth(n->left, tries) || truth(n->right, tries);
	}
}

static void
blanks(struct buf *b, unsigned least)
{
	unsigned n = least + (unsigned)rng_below(&dice, 3);

	while (n-- > 0)
		buf_add_byte(b, rng_below(&dice, 4) == 0 ? '\t' : ' ');
}

static void write_tree(const struct node *n, enum kind above, struct buf *b);

static void
write_inside(const struct node *n, struct buf *b)
{
	if (n->kind == LEAF) {
		buf_addf(b, rng_below(&dice, 2) ? "tries=%u" : "Tries:%u",
		    n->tries);
		return;
	}
	if (n->kind == NOT) {
		buf_add_str(b, "not");
		blanks(b, 1);
		write_tree(n->left, NOT, b);
		return;
	}
	/* the left one of equals needs no parentheses */
	write_tree(n->left, n->kind == AND ? OR : LEAF, b);
	blanks(b, 1);
	if (n->kind == OR || rng_below(&dice, 2)) {
		buf_add_str(b, n->kind == OR ? "or" : "AND");
		blanks(b, 1);
	}
	write_tree(n->right, n->kind, b);
}

/* With parentheses where the order of binding needs them, and sometimes where
 * it does not. */
static void
write_tree(const struct node *n, enum kind above, struct buf *b)
{
	bool is_weaker = (above == NOT && n->kind != LEAF && n->kind != NOT) ||
	    (above == AND && (n->kind == AND || n->kind == OR)) ||
	    (above == OR && n->kind == OR);

	if (!is_weaker && rng_below(&dice, 6) != 0) {
		write_inside(n, b);
		return;
	}
	buf_add_byte(b, '(');
	blanks(b, 0);
	write_inside(n, b);
	blanks(b, 0);
	buf_add_byte(b, ')');
}

static bool
nobody(const void *ctx, uint32_t i, struct span *address)
{
	(void)ctx;
	(void)i;
	(void)address;
	return false;
}

Test(select, agrees_with_its_tree)
{
	unsigned yes = 0, no = 0;
	struct buf b;

	rng_init(&dice, 5);
	buf_init(&b, SELECT_TEXT_MAX);
	for (int round = 0; round < ROUNDS; round++) {
		struct why why = { "" };
		struct select *s = NULL;
		const struct node *tree;

		used = 0;
		tree = grow(0);
		buf_reset(&b);
		write_tree(tree, LEAF, &b);
		cr_assert_not(buf_failed(&b));
		cr_assert_eq(select_compile(buf_span(&b), &s, &why), OK,
		    "%.*s: %s", (int)b.n, b.p, why.text);
		for (unsigned tries = 0; tries < 5; tries++) {
			struct select_facts facts = { .tries = tries,
				.recipient = nobody };

			cr_assert_eq(select_match(s, &facts),
			    truth(tree, tries), "%.*s: %u", (int)b.n, b.p,
			    tries);
			*(truth(tree, tries) ? &yes : &no) += 1;
		}
		select_free(&s);
	}
	cr_expect_gt(yes, ROUNDS / 2);
	cr_expect_gt(no, ROUNDS / 2);
	buf_clear(&b);
}
