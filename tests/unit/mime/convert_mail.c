/* Standard input converted, for test_mime_python.py; 3 and the reason on
 * standard error when it can't be. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/mime/mime_whole.h"

#define INPUT_MAX ((size_t)16 << 20)

int
main(int argc, char **argv)
{
	struct mime_plan plan;
	struct buf in, out;
	size_t n;
	int code = 0;

	buf_init(&in, INPUT_MAX);
	buf_init(&out, 4 * INPUT_MAX);
	do {
		uint8_t *room = buf_reserve(&in, 65536);

		n = room == NULL ? 0 : fread(room, 1, 65536, stdin);
		buf_commit(&in, n);
	} while (n > 0);
	whole_convert(buf_span(&in), argc > 1 ? strtoul(argv[1], NULL, 10) :
	    SIZE_MAX, &plan, &out);
	if (plan.why_not != NULL) {
		(void)fprintf(stderr, "%s\n", plan.why_not);
		code = 3;
	} else if (plan.size != out.n ||
	    fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout) != 0) {
		code = 1;
	}
	mime_plan_clear(&plan);
	buf_clear(&in);
	buf_clear(&out);
	return code;
}
