#!/usr/bin/env python3
"""What dead and hanging destinations cost the others: drains of the same queue, with and without them, in turn.

usage: beside.py [-n MESSAGES] [--dead N] [--hang N] [--mix K] [-r ROUNDS] [CASE...]

    together   N dead destinations and one that hangs, all released in the same moment as the good mail
    first      they were released just before: they are being tried while the good mail goes
    waiting    they stay where they are (backing off) while the good mail goes
    backlog    N messages for one dead destination, released in the same moment
    mix        1,000 destinations of which 10 % are dead (half of them take no notice), 5 % slow (each reply a second
               late) and 1 % hang, each with as many messages as a good one: they are being tried while the good mail,
               for destinations that had some before, comes in and goes out
    mix-release  the same after an outage of all: everything was deferred and is released in the same moment

Each has the same configuration as the drain alone before it.  Prints each pair, then medians, and of the ratios
of rates the median over the pairs; gap: the longest time without a delivery, ms.  Needs root (bench.py).
"""
import argparse, json, os, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = ("together", "first", "waiting", "backlog", "mix", "mix-release")


def options(case, a, is_alone):
    if case.startswith("mix"):
        return ["--mix", str(a.mix)] + ["--mix-alone"] * is_alone
    if is_alone:
        return ["--dead-routes", str(a.dead)]
    if case == "backlog":
        return ["--dead-routes", str(a.dead), "-b", str(a.dead)]
    how = {"together": [], "first": ["--dead-first"], "waiting": ["--dead-waits"]}
    return ["--dead", str(a.dead), "--hang", str(a.hang), *how[case]]


def measure(a, case, is_alone):
    scenario = "e2e" if case == "mix" else "drain"
    r = subprocess.run([sys.executable, f"{HERE}/bench.py", "mtad", scenario, "-n", str(a.n),
                        *options(case, a, is_alone)],
                       capture_output=True, text=True, env={**os.environ, "BENCH_PERF": "0"})
    if r.returncode != 0:
        sys.exit(r.stderr)
    out = json.loads(r.stdout.strip().splitlines()[-1])
    if not out["done"] or any(out["check"].get(k) for k in ("lost", "corrupt", "phantom")):
        sys.exit(f"not all of it arrived: {out}")
    out["rate"] = out.get("drain_rate") or out["e2e_rate"]
    return out


def told(r):
    more = f", first {r['first_s']}" if "first_s" in r else ""
    return f"{r['rate']:.0f}/s (gap {r['max_gap_ms']}{more})"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-n", type=int, default=60000)
    ap.add_argument("--dead", type=int, default=10000)
    ap.add_argument("--hang", type=int, default=200)
    ap.add_argument("--mix", type=int, default=1000)
    ap.add_argument("-r", "--rounds", type=int, default=3)
    ap.add_argument("cases", nargs="*", metavar="CASE")
    a = ap.parse_args()
    cases = a.cases or list(CASES)
    if set(cases) - set(CASES):
        sys.exit(f"cases are: {' '.join(CASES)}")
    pairs = {c: [] for c in cases}
    for i in range(a.rounds):
        for c in cases:
            alone, beside = measure(a, c, True), measure(a, c, False)
            pairs[c].append((alone, beside))
            print(f"{i + 1} {c}: {beside['rate'] / alone['rate']:.2f}  alone {told(alone)}, {c} {told(beside)}",
                  flush=True)
    for c in cases:
        ratio = statistics.median(y["rate"] / x["rate"] for x, y in pairs[c])
        cpu = [statistics.median(p[k]["cpu_per_1000"] for p in pairs[c]) for k in (0, 1)]
        print(f"{c}: {ratio:.2f} of the undisturbed rate; CPU-s per 1000 {cpu[0]:g}, {cpu[1]:g}")


if __name__ == "__main__":
    main()
