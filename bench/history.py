#!/usr/bin/env python3
"""What the history of messages costs queued: the same mail with queue.history
0 and 7d in turn; CPU time of queued and of all of mtad, bytes written and
syncs a message.  The mail path may cost 5 % more (cpu_s_per_1000).

usage: bench/history.py [MESSAGES [SESSIONS [ROUNDS]]]

Needs a release build. CPU time is that of all threads of queued; it is noisy
beside other work, so the medians of many rounds count.  All processes are
counted as far as they live from the first message to the last.
"""
import json
import os
import statistics
import sys
import time

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(SOURCE, "tests"))
from support import load, relay  # noqa: E402

SIZE = 4096


def cpu_ns(*pids):
    """Of all their threads, as the scheduler counts them."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat",
                      encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total


def written(pid):
    """Bytes of its write calls: log, index, history (it sends its messages by
    sendmsg).  Not write_bytes, which counts a page of the cache whole, and on
    new kernels one may have 2 MiB."""
    with open(f"/proc/{pid}/io", encoding="ascii") as f:
        for line in f:
            if line.startswith("wchar: "):
                return int(line.split()[1])
    raise ValueError("no wchar")


def figures(r):
    return json.loads(r.ctl("status", "--json"))["figures"]


def one(history, messages, sessions):
    r = relay.Relay(start=False, limits={"connections_per_client": 500},
                    deliver={"connections": 20}, log={"level": "warning"},
                    queue={"history": history})
    work = load.Load(r.folder, "cost", count=messages + 10)
    try:
        r.configure(routes=[{"to": "*",
                             "via": f"smtp://127.0.0.1:{work.port}"}])
        r.start()
        pid = r.pids("queued")[0]
        pids = [p for some in r.pids().values() for p in some]
        before = figures(r)
        cpu, disk, whole = cpu_ns(pid), written(pid), cpu_ns(*pids)
        load.fill(r.port, r.folder, messages, sessions, SIZE, "cost")
        r.wait_empty(300)
        time.sleep(2.5)         # the last check-point, the last of the history
        cpu, disk = cpu_ns(pid) - cpu, written(pid) - disk
        whole = cpu_ns(*pids) - whole
        after = figures(r)
        r.stop()
        assert after["history_lost"] == 0
        return {
            "queued_cpu_us": cpu / 1000 / messages,
            "cpu_s_per_1000": whole / 1e6 / messages,
            "KiB": disk / messages / 1024,
            "syncs": (after["syncs"] - before["syncs"]) / messages,
            "history_bytes": (after["history_written_bytes"] -
                              before["history_written_bytes"]) / messages,
        }
    finally:
        work.close()
        r.remove()


def main():
    words = [int(word) for word in sys.argv[1:]]
    messages, sessions, rounds = (words + [10000, 20, 3][len(words):])[:3]
    runs = {"0": [], "7d": []}
    for _ in range(rounds):
        for history, rows in runs.items():
            rows.append(one(history, messages, sessions))
    middle = {history: {key: statistics.median(row[key] for row in rows)
                        for key in rows[0]}
              for history, rows in runs.items()}
    print(f"{messages} messages of {SIZE} bytes, {sessions} sessions, "
          f"medians of {rounds}; a message:")
    for key in middle["0"]:
        off, on = middle["0"][key], middle["7d"][key]
        ratio = f"{on / off - 1:+.1%}" if off else ""
        print(f"  {key:16} off {off:10.4f}  on {on:10.4f}  {ratio}")


if __name__ == "__main__":
    main()
