/*
 * Replays a fuzz target's corpus as an ordinary test.
 *
 * Each file is fed whole, then cut at every length, then with every bit
 * flipped.  Long files are cut and flipped at evenly spread places only, so
 * that the time stays bounded.  An empty or missing corpus is a failure: a
 * replay of nothing proves nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES	((size_t)1 << 20)
#define CUTS_MAX	((size_t)2048)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The copy is as long as the input, so that ASan sees a read past its end. */
static void
feed(const uint8_t *bytes, size_t n, size_t flipped_bit)
{
	uint8_t *copy = malloc(n != 0 ? n : 1);

	if (copy == NULL) {
		perror("replay");
		exit(1);
	}
	memcpy(copy, bytes, n);
	if (flipped_bit < n * 8)
		copy[flipped_bit / 8] ^= (uint8_t)(1u << (flipped_bit % 8));
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void
replay(const uint8_t *bytes, size_t n)
{
	const size_t cut_step = n / CUTS_MAX + 1;
	const size_t bit_step = n * 8 / CUTS_MAX + 1;

	feed(bytes, n, SIZE_MAX);
	for (size_t cut = 0; cut < n; cut += cut_step)
		feed(bytes, cut, SIZE_MAX);
	for (size_t bit = 0; bit < n * 8; bit += bit_step)
		feed(bytes, n, bit);
}

static int
replay_file(const char *path)
{
	static uint8_t bytes[FILE_MAX_BYTES];
	FILE *file = fopen(path, "rb");
	size_t n;

	if (file == NULL) {
		perror(path);
		return -1;
	}
	n = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file) != 0) {
		perror(path);
		(void)fclose(file);
		return -1;
	}
	(void)fclose(file);
	replay(bytes, n);
	return 0;
}

int
main(int argc, char **argv)
{
	char path[4096];
	unsigned count = 0;
	const struct dirent *entry;
	DIR *dir;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	if ((dir = opendir(argv[1])) == NULL) {
		perror(argv[1]);
		return 1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", argv[1],
		    entry->d_name);
		if (replay_file(path) != 0) {
			(void)closedir(dir);
			return 1;
		}
		count++;
	}
	(void)closedir(dir);
	printf("%u files replayed\n", count);
	return count != 0 ? 0 : 1;
}
