/*
 * The name of a group: the best exchangers alone, for the others are where a
 * domain may have a backup of its own; sorted, for the order of an answer says
 * nothing.
 */
#include "deliverd/hops/hops_group.h"

#include <stdlib.h>
#include <strings.h>

#include "common/base/text.h"
#include "deliverd/hops/hops_state.h"

static int
compare_names(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static void
add_name(struct buf *out, const char *name)
{
	for (; *name != '\0'; name++)
		buf_add_byte(out, text_lower_byte((uint8_t)*name));
}

void
hops_group(const struct hops *h, struct buf *out)
{
	const char *names[HOPS_HOSTS_MAX];
	size_t n = 0, at = 0;

	if (!h->is_mx || h->n_hosts == 0 || h->hosts[0].is_literal ||
	    strcasecmp(h->hosts[0].name, h->domain) == 0)
		return;
	while (n < h->n_hosts && n < HOPS_HOSTS_MAX &&
	    h->hosts[n].preference == h->hosts[0].preference) {
		names[n] = h->hosts[n].name;
		n++;
	}
	qsort(names, n, sizeof(names[0]), compare_names);
	while (at < n && out->n + strlen(names[at]) + 1 <= HOPS_GROUP_MAX) {
		if (at > 0)
			buf_add_byte(out, ',');
		add_name(out, names[at++]);
	}
}
