"""What a spool holds, and files of it: a long queue at once (bench/fillspool, as
queued would have written it), some mail by SMTP, bytes that are damaged."""
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


LARGE = b"Subject: large\r\n\r\n" + b"x" * 78 + b"\r\n"


def send_some(relay, count=20):
    """Deferred messages, one of them large; their ids."""
    ids = [relay.send(b"Subject: small\r\n\r\nnumber %06d.\r\n" % i)
           for i in range(count)]
    ids.append(relay.send(LARGE + (b"y" * 76 + b"\r\n") * 9000))
    relay.wait_count(count + 1, "state:deferred")
    return ids


def spoil(path, at, what):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(what)


def files_of(folder, kind):
    folder = os.path.join(folder, kind)
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
