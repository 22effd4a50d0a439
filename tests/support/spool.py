"""A long queue at once: bench/fillspool, as queued would have written it."""
import os
import pwd
import subprocess

from .basics import BIN, is_root


def fill(path, count, *words, owner="_mtad-queue"):
    """`words` are fillspool's options; the spool may exist, but no queued may
    have it open."""
    subprocess.run([os.path.join(BIN, "fillspool"), path, "-n", str(count),
                    *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    give(path, owner)


def give(path, owner="_mtad-queue"):
    """To the user that queued runs as."""
    if not is_root():
        return
    ids = pwd.getpwnam(owner)
    for folder, _, files in os.walk(path):
        os.chown(folder, ids.pw_uid, ids.pw_gid)
        for name in files:
            os.chown(os.path.join(folder, name), ids.pw_uid, ids.pw_gid)
