/*
 * Without seals a peer could shorten the file, and our next access would be a
 * SIGBUS.  The sealing is what makes sharing with it safe.
 */
#include "common/os/shm.h"

#include "common/os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

/* Without memory a caller may try again later; other errors stay. */
static enum err
error_of(int error)
{
	return error == ENOMEM || error == ENOSPC ? ERR_NOMEM : ERR_IO;
}

static enum err
map(int fd, size_t n, void **out)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return error_of(errno);
	*out = p;
	return OK;
}

/* Memory without a name: nobody but who is handed the descriptor can map
 * it. */
static int
make_memfd(const char *name)
{
	int fd = memfd_create(name,
	    MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* kernels before 6.3 do not know the last flag */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

/* Grown before it is sealed, since F_SEAL_GROW would forbid that, too. */
enum err
shm_make(const char *name, size_t n, struct shm *out)
{
	struct shm made = { .n = n, .fd = make_memfd(name) };
	enum err e;

	if (made.fd < 0)
		return error_of(errno);
	if (ftruncate(made.fd, (off_t)n) < 0 ||
	    fcntl(made.fd, F_ADD_SEALS, SEALS) < 0)
		e = error_of(errno);
	else
		e = map(made.fd, n, &made.p);
	if (e != OK) {
		fd_close(&made.fd);
		return e;
	}
	*out = made;
	return OK;
}

/* A descriptor of another kind has no seals, as the first call tells. */
enum err
shm_attach(int fd, size_t n, struct shm *out)
{
	int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct shm made = { .n = n, .fd = fd };
	struct stat st;
	enum err e;

	if (seals < 0 || (seals & wanted) != wanted)
		return ERR_DENIED;
	if (fstat(fd, &st) < 0 || st.st_size != (off_t)n)
		return ERR_DENIED;
	e = map(fd, n, &made.p);
	if (e == OK)
		*out = made;
	return e;
}

/* Only the mapping of this process; the memory lives as long as another has
 * it. */
void
shm_close(struct shm *s)
{
	if (s->p == NULL)
		return;
	(void)munmap(s->p, s->n);
	fd_close(&s->fd);
	*s = (struct shm){ .fd = -1 };
}
