"""The wall clock of our processes, set by the test: its side of wall.c.  The
library is preloaded through /etc/ld.so.preload of a mount namespace, so
scripts call volume.enter() first."""
import mmap
import os
import struct
import subprocess

from .basics import SOURCE
from .faults import PRELOAD


class Wall:
    """For every mtad that is started from now on, by a file in `folder`."""

    def __init__(self, folder):
        state = os.path.join(folder, "wall.state")
        library = os.path.join(folder, "wall.so")
        preload = os.path.join(folder, "wall.preload")
        with open(state, "wb") as f:
            f.truncate(8)
        with open(state, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 8)
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall",
                        "-Wextra", "-Werror", "-fPIC", "-shared",
                        f'-DWALL_PATH="{state}"', "-o", library,
                        os.path.join(SOURCE, "tests/support/wall.c")],
                       check=True)
        with open(preload, "w", encoding="utf-8") as f:
            f.write(library + "\n")
        for path in (state, library):
            os.chmod(path, 0o755)
        if not os.path.exists(PRELOAD):
            with open(PRELOAD, "w", encoding="ascii"):
                pass
        subprocess.run(["mount", "--bind", preload, PRELOAD], check=True)

    def set(self, seconds):
        """That far from the system's."""
        struct.pack_into("<q", self.map, 0, seconds * 1000)

    def close(self):
        subprocess.run(["umount", "-l", PRELOAD], check=False)
