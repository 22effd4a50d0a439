#!/usr/bin/env python3
"""Runs a chosen set of benchmarks and compares with a baseline.

    bench/compare.py [SET ...] [--times N] [--baseline FILE] [--save FILE]
    bench/compare.py --numbers [--times N] [--save FILE]

SET: micro (seconds), look (a minute), mail (minutes), or names of single
rows (--list prints them); without one: micro look.  Each row is measured N
times (3); its median counts.  Prints now, baseline and their ratio (above 1:
better now), and whether that is within the noise: three times what the single
runs spread, at least the row's own bound.  The disk's sync rate is measured
beside, for it explains more than any change of ours.

--numbers prints the table of wanted numbers with Postfix measured in the same
run, mtad and Postfix in turns; half an hour and more.

Exit code: 0 all within the noise or better, 1 something is worse (or, with
--numbers, misses what is wanted), 2 something could not be measured."""
import argparse
import fcntl
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent
RELEASE = SOURCE / "build/release"
BASELINE = HERE / "baseline.json"
SCRATCH = os.environ.get("BENCH_SCRATCH", "/var/tmp/bench/compare")
sys.path.insert(0, str(HERE))
import pair  # noqa: E402 (needs the path)

LOWER, HIGHER = -1, 1           # which way is better


def micro(name, *words):
    """Runs bench/micro_NAME; its lines."""
    program = RELEASE / "bin" / f"micro_{name}"
    return subprocess.run([str(program), *map(str, words)], check=True,
                          capture_output=True, text=True).stdout


def number(text, pattern):
    return float(re.search(pattern, text).group(1))


# ---- what can be measured ---------------------------------------------------
# A source is run once a turn and gives several rows.  Rows: name, source, how
# to read its result, which way is better, least noise.
def store(mode):
    def run():
        with tempfile.TemporaryDirectory(dir=SCRATCH) as d:
            return micro("store", d, mode, 100000, 64, 4096)
    return run


def look(n):
    def run():
        with tempfile.TemporaryDirectory(dir=SCRATCH) as d:
            p = subprocess.run([sys.executable, str(HERE / "look.py"), "-n",
                                str(n), "--json"], check=True, text=True,
                               capture_output=True, env={
                                   **os.environ, "TMPDIR": d})
        return json.loads(p.stdout)["rows"]
    return run


def fill():
    with tempfile.TemporaryDirectory(dir=SCRATCH) as d:
        return subprocess.run([str(RELEASE / "bin/fillspool"), d + "/s", "-n",
                               "200000"], check=True, text=True,
                              capture_output=True).stdout


def mail(scenario, *options):
    def run(peer="mtad"):
        return pair.one(peer, scenario, [str(o) for o in options])
    return run


SOURCES = {
    "dots": lambda: micro("dots"), "lines": lambda: micro("lines"),
    "plan": lambda: micro("plan"), "churn": store("churn"),
    "accept": store("accept"), "fill": fill,
    "look50k": look(50_000), "look1m": look(1_000_000),
    "e2e20": mail("e2e", "-n", 20000, "-c", 20),
    "e2e100": mail("e2e", "-n", 20000, "-c", 100),
    "e2e1": mail("e2e", "-n", 3000, "-c", 1),
    "each": mail("e2e", "-n", 10000, "-c", 20, "-m", 1),
    "large": mail("e2e", "-n", 6000, "-c", 20, "-s", 65536),
    "accepting": mail("accept", "-n", 20000, "-c", 20),
    "draining": mail("drain", "-n", 20000, "-c", 20),
    "slow20": mail("e2e", "-n", 10000, "-c", 20, "--slow-sync", 2),
    "slow100": mail("e2e", "-n", 10000, "-c", 100, "--slow-sync", 2),
    "beside": mail("e2e", "-n", 20000, "-c", 20, "-b", 50000),
    "dead": mail("drain", "-n", 20000, "-c", 20, "-b", 10000),
}


def field(name):
    return lambda r: float(r[name])


def pattern(text):
    return lambda r: number(r, text)


def asked(question, what):
    return lambda r: float(r[question][what])


MICRO = [
    ("lines.ns", "lines", pattern(r"([\d.]+) ns"), LOWER, 0.10),
    ("dots.in.us", "dots", pattern(r"in: +([\d.]+)"), LOWER, 0.15),
    ("dots.out.us", "dots", pattern(r"out: +([\d.]+)"), LOWER, 0.15),
    ("plan.good.ns", "plan", pattern(r"good: (\d+)"), LOWER, 0.15),
    ("plan.retry.ns", "plan", pattern(r"retry: (\d+)"), LOWER, 0.15),
    ("plan.dead.ns", "plan", pattern(r"dead: (\d+)"), LOWER, 0.15),
    ("store.churn.us", "churn", pattern(r"owner ([\d.]+) us"), LOWER, 0.15),
    ("store.churn.rate", "churn", pattern(r": (\d+)/s"), HIGHER, 0.25),
    ("store.accept.us", "accept", pattern(r"owner ([\d.]+) us"), LOWER, 0.15),
    ("store.fill.rate", "fill", pattern(r": (\d+)/s"), HIGHER, 0.25),
]
LOOK = [
    ("list50k.ms", "look50k", asked("list", "ms"), LOWER, 0.25),
    ("count50k.ms", "look50k", asked("count", "ms"), LOWER, 0.30),
] + [row for what in ("sender", "domain", "held", "active", "deferred",
                      "younger", "older")
     for row in (
         (f"1m.{what}.page.ms", "look1m", asked(f"{what}: page", "first_ms"),
          LOWER, 0.30),
         (f"1m.{what}.count.ms", "look1m", asked(f"{what}: count", "ms"),
          LOWER, 0.30))]
MAIL = [
    ("e2e20.rate", "e2e20", field("e2e_rate"), HIGHER, 0.10),
    ("e2e20.cpu", "e2e20", field("cpu_per_1000"), LOWER, 0.10),
    ("e2e20.p50.ms", "e2e20", field("eod_p50"), LOWER, 0.25),
    ("e2e20.p99.ms", "e2e20", field("eod_p99"), LOWER, 0.30),
    ("e2e20.KiB", "e2e20", field("kib_written_per_msg"), LOWER, 0.10),
    ("e2e100.rate", "e2e100", field("e2e_rate"), HIGHER, 0.10),
    ("e2e1.rate", "e2e1", field("e2e_rate"), HIGHER, 0.15),
    ("each.rate", "each", field("e2e_rate"), HIGHER, 0.15),
    ("large.rate", "large", field("e2e_rate"), HIGHER, 0.15),
    ("large.KiB", "large", field("kib_written_per_msg"), LOWER, 0.10),
    ("accepting.rate", "accepting", field("accept_rate"), HIGHER, 0.15),
    ("draining.rate", "draining", field("drain_rate"), HIGHER, 0.15),
    ("beside.rate", "beside", field("e2e_rate"), HIGHER, 0.15),
    ("dead.rate", "dead", field("drain_rate"), HIGHER, 0.15),
]
SETS = {"micro": MICRO, "look": LOOK, "mail": MAIL}
ROWS = {row[0]: row for rows in SETS.values() for row in rows}


# ---- measuring --------------------------------------------------------------
def machine():
    """What the figures depend on besides us."""
    tool = os.path.join(SCRATCH, "physlimits")
    subprocess.run(["cc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-o", tool,
                    str(HERE / "physlimits.c"), "-lpthread"], check=True)
    limits = subprocess.run([tool, SCRATCH, "0.5"], check=True, text=True,
                            capture_output=True).stdout.splitlines()
    return {"system": platform.platform(), "cpus": os.cpu_count(),
            "load": os.getloadavg()[0], "physlimits": limits}


def syncs(of):
    """Appends of 4 KiB with fdatasync a second, one thread."""
    for line in of["physlimits"]:
        m = re.match(r"append\+fdatasync\s+4096 B\s+1 threads\s+(\d+) /s",
                     line)
        if m:
            return int(m.group(1))
    return 0


def commit():
    p = subprocess.run(["git", "-C", str(SOURCE), "describe", "--always",
                        "--dirty"], capture_output=True, text=True)
    return p.stdout.strip()


def run_rows(rows, times):
    """Each source TIMES times, all of them in turns; values by row."""
    values = {row[0]: [] for row in rows}
    failed = []
    for turn in range(times):
        for source in dict.fromkeys(row[1] for row in rows):
            print(f"# {source} ({turn + 1} of {times})", flush=True)
            try:
                result = SOURCES[source]()
            except (subprocess.CalledProcessError, OSError) as e:
                failed.append(f"{source}: {e}")
                continue
            for row in rows:
                if row[1] == source:
                    values[row[0]].append(row[2](result))
    return values, failed


def middle(values):
    """Median, and how far half of the runs lie from it."""
    m = statistics.median(values)
    return m, statistics.median(abs(v - m) for v in values)


def summary(values):
    out = {}
    for name, v in values.items():
        if v:
            m, spread = middle(v)
            out[name] = {"median": m, "spread": spread, "runs": v}
    return out


def judge(name, now, before):
    """Ratio (above 1: better), its bound, and a word."""
    _, _, _, way, least = ROWS[name]
    ratio = now["median"] / before["median"] if before["median"] else 1.0
    if way == LOWER:
        ratio = 1 / ratio if ratio else 1.0
    bound = max(least, 3 * (now["spread"] / (now["median"] or 1) +
                            before["spread"] / (before["median"] or 1)))
    word = "worse" if ratio < 1 - bound else \
        "better" if ratio > 1 + bound else "same"
    return ratio, bound, word


def compare(rows, now, base):
    print(f"\n{'row':24}{'now':>12}{'baseline':>12}{'ratio':>8}"
          f"{'noise':>8}")
    worse = 0
    for row in rows:
        name = row[0]
        if name not in now:
            continue
        before = base.get("rows", {}).get(name)
        if before is None:
            print(f"{name:24}{now[name]['median']:12.3f}{'-':>12}")
            continue
        ratio, bound, word = judge(name, now[name], before)
        worse += word == "worse"
        print(f"{name:24}{now[name]['median']:12.3f}"
              f"{before['median']:12.3f}{ratio:8.2f}{bound:8.2f}  "
              f"{'' if word == 'same' else word}")
    return worse


# ---- the wanted numbers -----------------------------------------------------
# what, source, field, times Postfix or None, bound or None (an own number).
NUMBERS = [
    ("end to end 4 KiB, 20 clients, a second", "e2e20", "e2e_rate", 12, None),
    ("end to end 4 KiB, 100 clients", "e2e100", "e2e_rate", 20, None),
    ("CPU-s per 1000 messages, 20 clients", "e2e20", "cpu_per_1000", None,
     -0.12),
    ("one client", "e2e1", "e2e_rate", 3, None),
    ("one message a connection, 20 clients", "each", "e2e_rate", 12, None),
    ("64 KiB, 20 clients", "large", "e2e_rate", 8, None),
    ("accept only", "accepting", "accept_rate", 12, None),
    ("drain only", "draining", "drain_rate", 20, None),
    ("syncs a message, 1 client", "+e2e1", "syncs", None, -1.2),
    ("syncs a message, 20 clients", "+e2e20", "syncs", None, -0.4),
    ("syncs a message, 100 clients", "+e2e100", "syncs", None, -0.15),
    ("the same, a sync takes 2 ms more, 20", "+slow20", "syncs", None, -0.15),
    ("the same, a sync takes 2 ms more, 100", "+slow100", "syncs", None,
     -0.04),
    ("KiB written a 4 KiB message", "e2e20", "kib_written_per_msg", None, -9),
    ("KiB written a 64 KiB message", "large", "kib_written_per_msg", None,
     -68),
    ("reply to the final dot p50, ms", "e2e20", "eod_p50", None, -1),
    ("reply to the final dot p99, ms", "e2e20", "eod_p99", None, -3),
    ("50,000 deferred beside, part of undisturbed", "beside/e2e20",
     "e2e_rate", None, 0.95),
    ("drain beside 10,000 dead, part of undisturbed", "dead/draining",
     "drain_rate", None, 0.9),
]
ASKED = [
    ("full listing of 50,000, ms", "look50k", "list", "ms", 150),
    ("count of 50,000, ms", "look50k", "count", "ms", 10),
] + [row for what in ("sender", "domain", "held", "active", "deferred",
                      "younger", "older")
     for row in (
         (f"1,000,000 by {what}: first page, ms", "look1m", f"{what}: page",
          "first_ms", 100),
         (f"1,000,000 by {what}: exact count, ms", "look1m",
          f"{what}: count", "ms", 1000))]


class Runs:
    """Results by source and peer; each is measured when first asked for."""
    def __init__(self, times, has_postfix):
        self.times, self.has_postfix, self.seen = times, has_postfix, {}

    def of(self, source):
        """A leading + counts syncs, which slows the rates."""
        if source not in self.seen:
            os.environ["BENCH_PERF"] = "1" if source[0] == "+" else "0"
            run, runs = SOURCES[source.lstrip("+")], {"mtad": [],
                                                      "postfix": []}
            for _ in range(self.times):
                runs["mtad"].append(run("mtad"))
                if self.has_postfix and source[0] != "+":
                    runs["postfix"].append(run("postfix"))
            self.seen[source] = runs
        return self.seen[source]

    def part(self, source, whole, peer, name):
        """Of what WHOLE does: in turn, for an hour later the machine is another."""
        if peer == "postfix" and not self.has_postfix:
            return None
        os.environ["BENCH_PERF"] = "0"
        return statistics.median(
            SOURCES[source](peer)[name] / SOURCES[whole](peer)[name]
            for _ in range(self.times))

    def median(self, source, peer, name):
        values = [r[name] for r in self.of(source)[peer] if name in r]
        return statistics.median(values) if values else None


def print_number(what, mtad, postfix, wanted, is_met):
    print(f"| {what} | {mtad:.4g} | "
          f"{'-' if postfix is None else format(postfix, '.4g')} | {wanted} | "
          f"{'yes' if is_met else 'NO'} |", flush=True)
    return 0 if is_met else 1


def one_number(runs, what, source, name, factor, bound):
    first, _, second = source.partition("/")
    mtad, postfix = (runs.part(first, second, peer, name) if second else
                     runs.median(first, peer, name)
                     for peer in ("mtad", "postfix"))
    if factor is not None:
        ratio = mtad / postfix if postfix else float("nan")
        return print_number(what, mtad, postfix,
                            f">= {factor} x, is {ratio:.1f} x",
                            not ratio < factor)
    is_met = mtad <= -bound if bound < 0 else mtad >= bound
    return print_number(what, mtad, postfix,
                        f"{'<=' if bound < 0 else '>='} {abs(bound)}", is_met)


def print_numbers(times, has_postfix):
    runs, missed = Runs(times, has_postfix), 0
    print("| measure | mtad | Postfix | wanted | met |\n|---|---|---|---|---|")
    for row in NUMBERS:
        missed += one_number(runs, *row)
    answers = {source: look(n)() for source, n in
               (("look50k", 50_000), ("look1m", 1_000_000))}
    for what, source, question, field_name, most in ASKED:
        value = answers[source][question][field_name]
        missed += print_number(what, value, None, f"<= {most}", value <= most)
    return missed


# ---- the command ------------------------------------------------------------
def build():
    if not (RELEASE / "build.ninja").exists():
        sys.exit("bench: no build/release; cmake --preset release")
    subprocess.run(["cmake", "--build", str(RELEASE), "--parallel", "2",
                    "--target", "all", "bench_micro"], check=True,
                   stdout=subprocess.DEVNULL)


def chosen(names):
    rows = []
    for name in names or ["micro", "look"]:
        if name not in SETS and name not in ROWS:
            sys.exit(f"bench: no set and no row '{name}'; see --list")
        rows += SETS.get(name) or [ROWS[name]]
    return list(dict.fromkeys(rows))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.
                                RawDescriptionHelpFormatter)
    p.add_argument("sets", nargs="*", metavar="SET")
    p.add_argument("--times", type=int, default=3)
    p.add_argument("--baseline", default=str(BASELINE))
    p.add_argument("--save", help="write what was measured as a baseline")
    p.add_argument("--numbers", action="store_true")
    p.add_argument("--no-postfix", action="store_true")
    p.add_argument("--list", action="store_true")
    a = p.parse_args()
    if a.list:
        for name, rows in SETS.items():
            print(name + ":", " ".join(row[0] for row in rows))
        return 0
    os.environ.setdefault("BENCH_PERF", "0")
    os.makedirs(SCRATCH, exist_ok=True)
    build()
    with open(os.environ.get("BENCH_LOCK", "/tmp/bench.lock"), "a",
              encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if a.numbers:
            return 1 if print_numbers(a.times, not a.no_postfix) else 0
        rows = chosen(a.sets)
        now_machine = machine()
        values, failed = run_rows(rows, a.times)
    now = summary(values)
    base = {}
    if os.path.exists(a.baseline):
        with open(a.baseline, encoding="utf-8") as f:
            base = json.load(f)
        print(f"\nbaseline {base['commit']} of {base['date']}; fdatasync of "
              f"4 KiB: {syncs(now_machine)}/s now, "
              f"{syncs(base['machine'])}/s then; load "
              f"{now_machine['load']:.1f}, {base['machine']['load']:.1f}")
    worse = compare(rows, now, base)
    if a.save:
        with open(a.save, "w", encoding="utf-8") as f:
            json.dump({"commit": commit(), "date": time.strftime("%Y-%m-%d"),
                       "machine": now_machine,
                       "rows": {**base.get("rows", {}), **now}}, f, indent=1)
            f.write("\n")
    for text in failed:
        print("not measured:", text)
    return 2 if failed else 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
