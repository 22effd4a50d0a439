"""Kills, freezes, failures and delays at chosen system calls of our processes:
the test's side of shim.c.

A *point* is named by process, call and object: "queued fdatasync log"; a `*`
stands for any.  shim.def has the words.  The library is preloaded through
/etc/ld.so.preload of a mount namespace, so scripts call volume.enter()
first."""
import errno as errors
import mmap
import os
import re
import struct
import subprocess

from .basics import SOURCE, wait_for
from .load import CACHE

HERE = os.path.join(SOURCE, "tests/support")
ANY = 0xffff
ORDER = struct.Struct("<IHHHHIQQQQQ")
ORDERS = 8
PRELOAD = "/etc/ld.so.preload"


def _words(kind):
    with open(os.path.join(HERE, "shim.def"), encoding="ascii") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL)
    return re.findall(rf"\b{kind}\((\w+)\)", text)


ROLES, CALLS, OBJECTS, ACTIONS = map(
    _words, ("ROLE", "CALL", "OBJECT", "ACTION"))
SIZE = ORDERS * ORDER.size + 8 * len(ROLES) * len(CALLS) * len(OBJECTS)


def build():
    """The library's path; made when it is not there or old."""
    binary = os.path.join(CACHE, "shim.so")
    sources = [os.path.join(HERE, name) for name in ("shim.c", "shim.def")]
    if not os.path.exists(binary) or any(
            os.path.getmtime(binary) < os.path.getmtime(s) for s in sources):
        os.makedirs(CACHE, exist_ok=True)
        scratch = f"{binary}.{os.getpid()}"
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall",
                        "-Wextra", "-Werror", "-fPIC", "-shared", "-o",
                        scratch, sources[0], "-ldl", "-lpthread"],
                       check=True)
        os.rename(scratch, binary)
    return binary


class Shim:
    """Preloaded into every mtad that is started from now on in this mount
    namespace, with its state in `folder`."""

    def __init__(self, folder):
        library = os.path.join(folder, "shim.so")
        with open(build(), "rb") as f, open(library, "wb") as out:
            out.write(f.read())
        os.chmod(library, 0o755)
        path = os.path.join(folder, "shim.state")
        with open(path, "wb") as f:
            f.truncate(SIZE)
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), SIZE)
        self.preload = os.path.join(folder, "preload")
        with open(self.preload, "w", encoding="utf-8") as f:
            f.write(library + "\n")
        if not os.path.exists(PRELOAD):
            # a mount needs a place; the dynamic linker likes an empty file
            with open(PRELOAD, "w", encoding="ascii"):
                pass
        subprocess.run(["mount", "--bind", self.preload, PRELOAD],
                       check=True)

    def close(self):
        subprocess.run(["umount", "-l", PRELOAD], check=False)

    # -- orders -------------------------------------------------------------
    def order(self, point, action, first=1, count=1, slot=0, error=0,
              delay_ms=0):
        """From the `first`-th such call on, for `count` of them (0: all)."""
        role, call, what = (
            ANY if word == "*" else words.index(word)
            for word, words in zip(point.split(), (ROLES, CALLS, OBJECTS)))
        self.cancel(slot)
        at = slot * ORDER.size
        ORDER.pack_into(self.map, at, 0, role, call, what,
                        ACTIONS.index(action), error, first, count,
                        delay_ms * 1000, 0, 0)
        struct.pack_into("<I", self.map, at, 1)

    def fail(self, point, name, first=1, count=0, slot=0):
        """Such calls fail with errno `name`, until cancel()."""
        self.order(point, "fail", first, count, slot, getattr(errors, name))

    def cancel(self, slot=0):
        struct.pack_into("<I", self.map, slot * ORDER.size, 0)

    def hits(self, slot=0):
        return ORDER.unpack_from(self.map, slot * ORDER.size)[-1]

    def wait_hit(self, slot=0, seconds=20):
        wait_for("the call is made", lambda: self.hits(slot), seconds, 0.002)

    # -- figures ------------------------------------------------------------
    def calls(self):
        """Calls so far, by point."""
        counts = struct.unpack_from(
            f"<{(SIZE - ORDERS * ORDER.size) // 8}Q", self.map,
            ORDERS * ORDER.size)
        result, i = {}, 0
        for role in ROLES:
            for call in CALLS:
                for what in OBJECTS:
                    if counts[i]:
                        result[f"{role} {call} {what}"] = counts[i]
                    i += 1
        return result
