"""Small file systems, in a mount namespace that ends with the test."""
import os
import shutil
import subprocess
import sys

from .basics import SKIP, is_root

MARK = "MTAD_TEST_MOUNTS"


def enter():
    """Runs the calling script again where it may mount; skips it where that
    is not possible."""
    if os.environ.get(MARK):
        return
    if not is_root() or not shutil.which("unshare") or subprocess.run(
            ["unshare", "-m", "true"], check=False).returncode:
        print("skipped: needs root and unshare(1)")
        sys.exit(SKIP)
    os.environ[MARK] = "1"
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private",
                          sys.executable, "-B", *sys.argv])


class Volume:
    """A tmpfs at `path`, which may be made larger; `inodes` bounds files."""

    def __init__(self, path, mib, inodes=0):
        self.path = path
        os.makedirs(path, exist_ok=True)
        options = f"size={mib}m" + (f",nr_inodes={inodes}" if inodes else "")
        self._run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path)

    def _run(self, *words):
        subprocess.run(words, check=True, capture_output=True)

    def grow(self, mib):
        self._run("mount", "-o", f"remount,size={mib}m", self.path)

    def free(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, keep=0):
        """Somebody else's file takes what there is, but `keep` bytes."""
        ballast = os.path.join(self.path, "ballast")
        with open(ballast, "ab") as f:
            try:
                while self.free() > keep:
                    f.write(bytes(min(1 << 20, self.free() - keep)))
                    f.flush()
            except OSError:
                pass
        return ballast

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)


class Disk(Volume):
    """An ext4 in a file beside `path`, which syncs, has a journal and may be
    remounted read-only."""

    def __init__(self, path, mib, inodes=0):
        self.path, self.image = path, f"{path}.image"
        os.makedirs(path, exist_ok=True)
        with open(self.image, "wb") as f:
            f.truncate(mib << 20)
        self._run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^resize_inode",
                  *(("-N", str(inodes)) if inodes else ()), self.image)
        self._run("mount", "-o", "loop", self.image, path)
        os.rmdir(os.path.join(path, "lost+found"))

    def set_writable(self, may):
        self._run("mount", "-o", f"remount,{'rw' if may else 'ro'}",
                  self.path)

    def close(self):
        super().close()
        os.unlink(self.image)
