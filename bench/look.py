#!/usr/bin/env python3
"""How long an operator waits: mtactl beside a queue of N messages.

    bench/look.py [-n N] [--spool DIR] [--json]

Fills a spool (or takes DIR, a filled one, for its own), starts mtad and times
each question as a person meets it: mtactl's start, connection, answer, output
into a pipe that is read.  Each is asked five times; the median counts.  `first`
is the time until the first line of the answer; `cpu` what mtactl and queued
used, which a busy machine changes less."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE))
from tests.support import relay, spool  # noqa: E402 (needs the path)

TIMES = 5
FILL = ("-A", "3d", "-h", "2", "-f", "20h", "-w", "40h", "-s", "5000",
        "-d", "2000", "-b", "1024")
QUESTIONS = {
    "count": ("queue", "count", "--json"),
    "list": ("queue", "list", "--json"),
    "sender: page": ("queue", "list", "--limit", "50",
                     "from:sender7@s7.example.org"),
    "sender: count": ("queue", "count", "from:sender7@s7.example.org"),
    "domain: page": ("queue", "list", "--limit", "50",
                     "domain:d7.example.net"),
    "domain: count": ("queue", "count", "domain:d7.example.net"),
    "held: page": ("queue", "list", "--limit", "50", "state:held"),
    "held: count": ("queue", "count", "state:held"),
    "active: page": ("queue", "list", "--limit", "50", "state:active"),
    "active: count": ("queue", "count", "state:active"),
    "deferred: page": ("queue", "list", "--limit", "50", "state:deferred"),
    "deferred: count": ("queue", "count", "state:deferred"),
    "younger: page": ("queue", "list", "--limit", "50", "age<30m"),
    "younger: count": ("queue", "count", "age<30m"),
    "older: page": ("queue", "list", "--limit", "50", "age>2d"),
    "older: count": ("queue", "count", "age>2d"),
    "any: count": ("queue", "count", "to:user*7@* or not size<1K"),
}


def cpu_of(pid):
    """Seconds of processor time so far, in nanoseconds' precision."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
        total = int(f.read().split()[0])
    return total / 1e9


def ask(r, queued, words):
    """Seconds until the first line and until the end; lines; seconds of
    processor time of mtactl and of queued."""
    begin, cpu = time.monotonic(), cpu_of(queued)
    p = subprocess.Popen(r.command("mtactl", *words), stdout=subprocess.PIPE,
                         stdin=subprocess.DEVNULL)
    first = p.stdout.readline()
    to_first = time.monotonic() - begin
    lines, text = 1 if first else 0, b""
    while True:
        text = p.stdout.read1(1 << 20)
        if not text:
            break
        lines += text.count(b"\n")
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode != 0:
        raise SystemExit(f"mtactl {' '.join(words)} failed")
    return (to_first, time.monotonic() - begin, lines,
            usage.ru_utime + usage.ru_stime, cpu_of(queued) - cpu)


def measure(r, names):
    rows = {}
    queued = r.pids("queued")[0]
    for name in names:
        times = [ask(r, queued, QUESTIONS[name]) for _ in range(TIMES)]

        def median(i):
            return 1e3 * statistics.median(t[i] for t in times)
        rows[name] = {"first_ms": median(0), "ms": median(1),
                      "lines": times[0][2], "mtactl_cpu_ms": median(3),
                      "queued_cpu_ms": median(4)}
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-n", type=int, default=1_000_000)
    p.add_argument("--spool", help="a filled one")
    p.add_argument("--json", action="store_true")
    p.add_argument("--only", help="names that begin so, comma between")
    args = p.parse_args()
    names = [n for n in QUESTIONS if args.only is None or
             n.startswith(tuple(args.only.split(",")))]
    with relay.Relay(start=False) as r:
        path = args.spool or os.path.join(r.folder, "spool")
        if args.spool:
            spool.give(path)
            r.configure(queue={"path": os.path.abspath(path)})
        else:
            spool.fill(path, args.n, *FILL)
        begin = time.monotonic()
        r.start()
        rows = measure(r, names)
        figures = json.loads(r.ctl("status", "--json"))
    result = {"n": args.n, "rows": rows, "figures": figures}
    if args.json:
        print(json.dumps(result))
        return
    for name, row in rows.items():
        print(f"{name:18} first {row['first_ms']:8.1f} ms  all "
              f"{row['ms']:8.1f} ms  cpu {row['mtactl_cpu_ms']:7.1f} + "
              f"{row['queued_cpu_ms']:7.1f} ms  {row['lines']:8} lines")


if __name__ == "__main__":
    main()
