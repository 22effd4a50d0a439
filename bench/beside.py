#!/usr/bin/env python3
"""What dead and hanging destinations cost the others: drains of the same queue, with and without them, in turn.

usage: beside.py [-n MESSAGES] [--dead N] [--hang N] [-r ROUNDS]

Prints each pair, then medians and the ratio of rates and of CPU seconds a message; needs root (bench.py).
"""
import argparse, json, os, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))


def drain(a, *more):
    r = subprocess.run([sys.executable, f"{HERE}/bench.py", "mtad", "drain", "-n", str(a.n), *more],
                       capture_output=True, text=True, env={**os.environ, "BENCH_PERF": "0"})
    if r.returncode != 0:
        sys.exit(r.stderr)
    out = json.loads(r.stdout.strip().splitlines()[-1])
    if not out["done"] or any(out["check"].get(k) for k in ("lost", "corrupt", "phantom")):
        sys.exit(f"not all of it arrived: {out}")
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-n", type=int, default=40000)
    ap.add_argument("--dead", type=int, default=10000)
    ap.add_argument("--hang", type=int, default=200)
    ap.add_argument("-r", "--rounds", type=int, default=3)
    a = ap.parse_args()
    alone, beside = [], []
    for i in range(a.rounds):
        alone.append(drain(a))
        beside.append(drain(a, "--dead", str(a.dead), "--hang", str(a.hang)))
        print(f"{i + 1}: alone {alone[-1]['drain_rate']:.0f}/s (steady {alone[-1]['steady_rate']:.0f}), "
              f"beside {beside[-1]['drain_rate']:.0f}/s (steady {beside[-1]['steady_rate']:.0f})", flush=True)
    for key in ("drain_rate", "steady_rate", "cpu_per_1000", "first_s"):
        x, y = (statistics.median(r[key] for r in rs) for rs in (alone, beside))
        print(f"{key}: alone {x:g}, beside {y:g}, ratio {y / x if x else float('nan'):.2f}")


if __name__ == "__main__":
    main()
