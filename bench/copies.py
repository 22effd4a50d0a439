#!/usr/bin/env python3
"""Copies of a spool of N messages, at rest: what each verb takes.

    bench/copies.py [-n N] [--spool DIR] [--json] [VERB…]

    check     mtactl spool check
    backup    … spool backup, which reads back what it wrote
    held      … spool restore of it, without a history: all mail is held
    release   … the same with --release
    salvage   … spool salvage
    mail      … spool salvage --mail

Takes a spool of N messages at DIR when there is one (and fills it if not), and
leaves it as it was.  `wall` and `cpu` are seconds of all processes of the verb,
`private` the most memory in MiB that queued, working for it, shares with
nobody, `anon` what of it the system would have to swap."""
import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE))
import start  # noqa: E402
from tests.support import relay, spool  # noqa: E402

VERBS = {"check": ("check",), "backup": ("backup", "copy"),
         "held": ("restore", "copy", "--set-aside"),
         "release": ("restore", "copy", "--set-aside", "--release"),
         "salvage": ("salvage", "saved"),
         "mail": ("salvage", "saved", "--mail")}


class Watch(threading.Thread):
    """The most memory of any queued that descends from PID."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.private, self.anon = pid, 0, 0
        self.over = threading.Event()

    def family(self):
        found = [self.pid]
        for pid in found:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children",
                              encoding="ascii") as f:
                        found += [int(word) for word in f.read().split()]
            except OSError:
                pass
        return found

    def run(self):
        while not self.over.wait(0.2):
            for pid in self.family():
                try:
                    if start.is_queued(pid):
                        private, anon = start.memory_of(pid)
                        self.private = max(self.private, private)
                        self.anon = max(self.anon, anon)
                except (OSError, KeyError, ValueError):
                    pass        # it has just ended


def cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(r, verb):
    word, *rest = VERBS[verb]
    rest = [os.path.join(r.folder, w) if w in ("copy", "saved") else w
            for w in rest]
    start.drop_caches()
    begin, before = time.monotonic(), cpu()
    with subprocess.Popen(r.command("mtactl", "spool", word, *rest, "--json"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as p:
        watch = Watch(p.pid)
        watch.start()
        out, words = p.communicate()
        watch.over.set()
        watch.join()
    if p.returncode != 0:
        sys.exit(f"{verb}: {p.returncode} {out[-500:]} {words[-500:]}")
    return {"wall": time.monotonic() - begin, "cpu": cpu() - before,
            "private": watch.private / 1024, "anon": watch.anon / 1024}


def clean(r, path, verb):
    """Before VERB: the spool is as it was, and of old copies only what it needs."""
    for name in os.listdir(r.folder):
        if name.startswith("spool") or name == "saved" or (
                name == "copy" and verb not in ("held", "release")):
            shutil.rmtree(os.path.join(r.folder, name))
    subprocess.run(["cp", "-a", "--sparse=always", path,
                    os.path.join(r.folder, "spool")], check=True)


def measure(path, verbs):
    r = relay.Relay(1, start=False)
    try:
        for verb in verbs:
            clean(r, path, verb)
            if verb in ("held", "release") and not os.path.isdir(
                    os.path.join(r.folder, "copy")):
                run(r, "backup")
            yield verb, run(r, verb)
    finally:
        r.remove()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("-n", type=int, default=1_000_000)
    p.add_argument("--spool", help="a filled one, or where one shall lie")
    p.add_argument("--json", action="store_true")
    p.add_argument("verbs", nargs="*", choices=[[], *VERBS])
    args = p.parse_args()
    scratch = tempfile.mkdtemp(prefix="mtad-copies.", dir="/var/tmp")
    path = args.spool or os.path.join(scratch, "spool")
    rows = {}
    try:
        if not os.path.isdir(path):
            spool.fill(path, args.n, *start.FILL, *start.DUE["later"])
        for verb, row in measure(path, args.verbs or VERBS):
            rows[verb] = row
            if not args.json:
                print(f"{verb:8} " + "  ".join(
                    f"{k} {v:.1f}" for k, v in row.items()), flush=True)
    finally:
        shutil.rmtree(scratch)
    if args.json:
        print(json.dumps({"n": args.n, "rows": rows}))


if __name__ == "__main__":
    main()
