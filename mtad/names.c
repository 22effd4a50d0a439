/*
 * resolv.conf(5), as far as it names resolvers, and the reading of small files
 * of the system.  Search lists are not used, a mail domain is always whole, and
 * of the options trust-ad alone.
 */
#include "mtad/names.h"

#include "common/base/endpoint.h"
#include "common/os/fd.h"
#include "common/os/file.h"

#include <unistd.h>

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word off a line; empty at its end. */
static struct span
next_word(struct span *line)
{
	size_t begin = 0, end;
	struct span word;

	while (begin < line->n && is_blank(line->p[begin]))
		begin++;
	end = begin;
	while (end < line->n && !is_blank(line->p[end]))
		end++;
	word = span_sub(*line, begin, end - begin);
	*line = span_from(*line, end);
	return word;
}

/* Appends with its port, and a comma before all but the first. */
static bool
add_server(struct span word, bool is_first, struct buf *out)
{
	struct endpoint e = { .port = 53 };
	char text[ENDPOINT_TEXT_SIZE];

	/* a zone ("fe80::1%eth0") is not for us: it is left out */
	if (ipaddr_parse(word, &e.addr) != OK)
		return false;
	if (!is_first)
		buf_add_byte(out, ',');
	buf_add(out, text, endpoint_format(&e, text));
	return true;
}

void
names_servers(struct span resolv_conf, struct buf *out)
{
	size_t count = 0;

	while (resolv_conf.n > 0 && count < NAMES_SERVERS_MAX) {
		size_t end = span_find(resolv_conf, '\n');
		struct span line = span_sub(resolv_conf, 0, end);

		resolv_conf = span_from(resolv_conf, end + 1);
		if (span_equal(next_word(&line), SPAN_LIT("nameserver")) &&
		    add_server(next_word(&line), count == 0, out))
			count++;
	}
	if (count == 0)
		/* as resolv.conf(5) says */
		buf_add_str(out, "127.0.0.1:53");
}

bool
names_trust_ad(struct span resolv_conf)
{
	bool is_trusted = false;

	while (resolv_conf.n > 0) {
		size_t end = span_find(resolv_conf, '\n');
		struct span line = span_sub(resolv_conf, 0, end), word;

		resolv_conf = span_from(resolv_conf, end + 1);
		if (!span_equal(next_word(&line), SPAN_LIT("options")))
			continue;
		while ((word = next_word(&line)).n > 0)
			if (span_equal(word, SPAN_LIT("trust-ad")))
				is_trusted = true;
	}
	return is_trusted;
}

/* A file that can't be read is an empty one: names may still come from DNS. */
void
names_read(const char *path, struct buf *out)
{
	size_t begin = out->n;
	ssize_t n = 1;
	int fd;

	if (file_open_read(AT_FDCWD, path, &fd, NULL) != OK)
		return;
	while (n > 0 && out->n - begin < NAMES_HOSTS_MAX) {
		size_t size = NAMES_HOSTS_MAX - (out->n - begin);
		uint8_t *place = buf_reserve(out, size < 4096 ? size : 4096);

		if (place == NULL)
			break;
		n = read(fd, place, size < 4096 ? size : 4096);
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
	fd_close(&fd);
	/* the last line of a file that is too long is cut: leave it out */
	if (out->n - begin < NAMES_HOSTS_MAX)
		return;
	while (out->n > begin && out->p[out->n - 1] != '\n')
		out->n--;
}
