#!/usr/bin/env python3
"""A start beside a queue of N messages: when it greets, answers, delivers.

    bench/start.py [-n N] [--spools DIR] [--json] [CASE…]

Each case fills a spool of its own, or takes DIR/CASE when it is there, and
works on a copy of it:

    later     N messages that are due in a day, and a good one that is due
    due       N that are due now, for 1,000 dead hosts, and a good one behind
    rebuild   as later, but the index is lost
    unclean   as later, after a life that was killed

A client that is greeted sends another good one.  `first` is the time from the
start of mtad until one of the two has arrived, `mail` until both have,
`greets` and `accepts` until the client heard so, `answers` until mtactl has
shown the status; `private` is the memory
of queued that it shares with nobody, the most of it within some seconds, and
`anon` what the system would have to swap.  Caches are dropped before each (as root)."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE))
from tests.support import basics, nexthop, relay, spool  # noqa: E402

HOSTS = 1000                    # dead ones
WATCHED = 8                     # seconds in which memory is looked at
PATIENCE = 120
FILL = ("-A", "2d", "-h", "2", "-s", "5000", "-d", HOSTS, "-b", "300-700")
DUE = {"later": ("-f", "20h", "-w", "40h"), "due": ("-f", "0s", "-w", "0s"),
       "rebuild": ("-f", "20h", "-w", "40h"),
       "unclean": ("-f", "20h", "-w", "40h")}


def fill(path, case, n):
    spool.fill(path, n, *FILL, *DUE[case])
    spool.fill(path, 1, "-p", "good", "-d", "1", "-a", "100")


def routes(port, dead):
    """The good one has a host that answers, each other domain a dead one."""
    return ([{"to": "good0.example.net", "via": f"smtp://127.0.0.1:{port}"}] +
            [{"to": f"d{i}.example.net",
              "via": f"smtp://127.1.{i // 250}.{1 + i % 250}:{dead}"}
             for i in range(HOSTS)])


def memory_of(pid):
    """KiB that are its own, and of them what is not of a file."""
    figures = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        for line in f:
            word, _, rest = line.partition(":")
            if rest.strip().endswith("kB"):
                figures[word] = int(rest.split()[0])
    return (figures["Private_Clean"] + figures["Private_Dirty"],
            figures["Anonymous"])


def is_queued(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii") as f:
        return f.read().strip() == "queued"


class Watch(threading.Thread):
    """The most memory that any queued takes while it runs."""

    def __init__(self, r):
        super().__init__(daemon=True)
        self.relay, self.private, self.anon = r, 0, 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            try:
                for pid in self.relay.session():
                    if not is_queued(pid):
                        continue
                    private, anon = memory_of(pid)
                    self.private = max(self.private, private)
                    self.anon = max(self.anon, anon)
            except (OSError, KeyError, ValueError):
                pass            # it has just ended, or not begun


def wait(begin, what):
    """Seconds from BEGIN until WHAT() is true; None: never."""
    while time.monotonic() - begin < PATIENCE:
        if what():
            return time.monotonic() - begin
        time.sleep(0.005)
    return None


def greets(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            return s.recv(600).startswith(b"220 ")
    except OSError:
        return False


def send(port):
    """False when it is refused for now."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
            f = s.makefile("rwb")
            f.readline()
            for line in (b"HELO c.example.org", b"MAIL FROM:<a@c.example.org>",
                         b"RCPT TO:<new@good0.example.net>", b"DATA",
                         b"Subject: new\r\n\r\nx\r\n."):
                f.write(line + b"\r\n")
                f.flush()
                if not f.readline().startswith((b"250", b"354")):
                    return False
        return True
    except OSError:
        return False


def measure(r, hop):
    def arrived(n):
        return lambda: len(hop.messages) >= n
    times, threads = {}, []
    begin = time.monotonic()

    def note(name, what):
        times[name] = wait(begin, what)

    def mail():
        note("greets", lambda: greets(r.port))
        note("accepts", lambda: send(r.port))
        note("mail", arrived(2))
    r.start(is_served=False)
    watch = Watch(r)
    watch.start()
    for target in (mail, lambda: note("first", arrived(1)),
                   lambda: note("answers", lambda: r.try_ctl(
                       "status", "--json",
                       seconds=PATIENCE).returncode == 0)):
        threads.append(threading.Thread(target=target))
        threads[-1].start()
    for t in threads:
        t.join()
    time.sleep(max(0, begin + WATCHED - time.monotonic()))
    watch.over.set()
    watch.join()
    figures = json.loads(r.ctl("status", "--json"))["figures"]
    return {**times, "private_mib": watch.private / 1024,
            "anon_mib": watch.anon / 1024,
            "longest_read_ms": figures["longest_read_us"] / 1000}


def drop_caches():
    os.sync()
    if basics.is_root():
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("3\n")


def run(case, n, spools):
    kept = os.path.join(spools, case if case in ("due", "later") else "later")
    if not os.path.isdir(kept):
        fill(kept, os.path.basename(kept), n)
    hop = nexthop.NextHop()
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))     # and nobody listens
        r = relay.Relay(start=False,
                        routes=routes(hop.port, dead.getsockname()[1]),
                        queue={"warn": "30d", "expire": "60d",
                               "first_retry": "10m", "max_retry": "1h"})
        try:
            path = os.path.join(r.folder, "spool")
            subprocess.run(["cp", "-a", "--sparse=always", kept, path],
                           check=True)
            if case == "rebuild":
                shutil.rmtree(os.path.join(path, "index"))
            if case == "unclean":       # as a life that was killed leaves it
                with open(os.path.join(path, "index/unclean"), "wb") as f:
                    f.write(b"x")
                spool.give(path)
            drop_caches()
            return measure(r, hop)
        finally:
            if r.process is not None:
                r.process.send_signal(signal.SIGTERM)
                r.process.wait(PATIENCE)
            r.kill_all()
            r.remove()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("-n", type=int, default=1_000_000)
    p.add_argument("--spools", help="where filled ones are kept")
    p.add_argument("--json", action="store_true")
    p.add_argument("cases", nargs="*", choices=[[], *DUE])
    args = p.parse_args()
    spools = args.spools or tempfile.mkdtemp(prefix="mtad-start.")
    os.makedirs(spools, exist_ok=True)
    rows = {}
    try:
        for case in args.cases or DUE:
            rows[case] = run(case, args.n, spools)
            if not args.json:
                print(f"{case:8} " + "  ".join(
                    f"{k} {'-' if v is None else format(v, '.2f')}"
                    for k, v in rows[case].items()), flush=True)
    finally:
        if not args.spools:
            shutil.rmtree(spools)
    if args.json:
        print(json.dumps({"n": args.n, "rows": rows}))


if __name__ == "__main__":
    main()
