#!/usr/bin/env python3
"""What dead and hanging destinations cost the others: drains of the same queue, with and without them, in turn.

usage: beside.py [-n MESSAGES] [--dead N] [--hang N] [-r ROUNDS] [CASE...]

    together   N dead destinations and one that hangs, all released in the same moment as the good mail
    first      they were released just before: they are being tried while the good mail goes
    waiting    they stay where they are (backing off) while the good mail goes
    backlog    N messages for one dead destination, released in the same moment

Each has the same configuration as the drain alone before it.  Prints each pair, then medians, and of the ratios
of rates the median over the pairs; gap: the longest time without a delivery, ms.  Needs root (bench.py).
"""
import argparse, json, os, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = ("together", "first", "waiting", "backlog")


def options(case, a):
    if case == "alone":
        return ["--dead-routes", str(a.dead)]
    if case == "backlog":
        return ["--dead-routes", str(a.dead), "-b", str(a.dead)]
    how = {"together": [], "first": ["--dead-first"], "waiting": ["--dead-waits"]}
    return ["--dead", str(a.dead), "--hang", str(a.hang), *how[case]]


def drain(a, case):
    r = subprocess.run([sys.executable, f"{HERE}/bench.py", "mtad", "drain", "-n", str(a.n), *options(case, a)],
                       capture_output=True, text=True, env={**os.environ, "BENCH_PERF": "0"})
    if r.returncode != 0:
        sys.exit(r.stderr)
    out = json.loads(r.stdout.strip().splitlines()[-1])
    if not out["done"] or any(out["check"].get(k) for k in ("lost", "corrupt", "phantom")):
        sys.exit(f"not all of it arrived: {out}")
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-n", type=int, default=60000)
    ap.add_argument("--dead", type=int, default=10000)
    ap.add_argument("--hang", type=int, default=200)
    ap.add_argument("-r", "--rounds", type=int, default=3)
    ap.add_argument("cases", nargs="*", metavar="CASE")
    a = ap.parse_args()
    cases = a.cases or list(CASES)
    if set(cases) - set(CASES):
        sys.exit(f"cases are: {' '.join(CASES)}")
    pairs = {c: [] for c in cases}
    for i in range(a.rounds):
        for c in cases:
            alone, beside = drain(a, "alone"), drain(a, c)
            pairs[c].append((alone, beside))
            print(f"{i + 1} {c}: {beside['drain_rate'] / alone['drain_rate']:.2f}  "
                  + ", ".join(f"{name} {r['drain_rate']:.0f}/s (gap {r['max_gap_ms']}, first {r['first_s']})"
                              for name, r in (("alone", alone), (c, beside))), flush=True)
    for c in cases:
        ratio = statistics.median(y["drain_rate"] / x["drain_rate"] for x, y in pairs[c])
        cpu = [statistics.median(p[k]["cpu_per_1000"] for p in pairs[c]) for k in (0, 1)]
        print(f"{c}: {ratio:.2f} of the undisturbed rate; CPU-s per 1000 {cpu[0]:g}, {cpu[1]:g}")


if __name__ == "__main__":
    main()
