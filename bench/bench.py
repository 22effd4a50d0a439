#!/usr/bin/env python3
"""Relay benchmark: smtpblast -> MTA under test -> smtpsinkd, all on loopback.

Every run happens in fresh network, mount and PID namespaces, so nothing can
be reached from outside, nothing outside changes and nothing is left behind.
See README.md.  Python 3 standard library only.
"""
import argparse, json, os, shutil, signal, struct, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.environ.get("BENCH_OUT", "/var/tmp/bench/out")
SPOOLS = os.environ.get("BENCH_SPOOLS", "/var/tmp/bench/spool")
TOOLS = os.environ.get("BENCH_TOOLS", "/var/tmp/bench/tools")
V2 = not os.path.isdir("/sys/fs/cgroup/cpuacct")   # control groups version 2
CG = ("/sys/fs/cgroup" if V2 else "/sys/fs/cgroup/cpuacct") + "/mtabench." + os.environ.get("BENCH_ID", "0")
IN, NEXT, HANG = 2525, 2526, 2528
EVENTS = [f"syscalls:sys_enter_{e}" for e in ("fsync", "fdatasync", "msync", "sync_file_range", "sync", "syncfs")]
PROFILE = ["raw_syscalls:sys_enter", "context-switches", "sched:sched_process_fork", "sched:sched_process_exec"]

sys.path.insert(0, HERE)
from peers import PEERS, SLOW, mix_counts  # noqa: E402


def sh(cmd, **kw):
    return subprocess.run(cmd, shell=isinstance(cmd, str), **kw)


# ---- measuring -------------------------------------------------------------
def cpu():
    """User and system CPU seconds of everything ever in the MTA's cgroup."""
    if V2:
        stat = dict(line.split() for line in open(f"{CG}/cpu.stat"))
        return int(stat["user_usec"]) / 1e6, int(stat["system_usec"]) / 1e6
    return tuple(int(open(f"{CG}/cpuacct.usage_{k}").read()) / 1e9 for k in ("user", "sys"))


def pids():
    try:
        return [int(x) for x in open(f"{CG}/cgroup.procs").read().split() if x != "0"]
    except OSError:
        return []


def pss_kb():
    """Proportional memory of all processes: (all, anonymous only) - mapped files differ."""
    total = anon = 0
    for p in pids():
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                for line in f:
                    if line.startswith("Pss:"): total += int(line.split()[1])
                    elif line.startswith("Pss_Anon:"): anon += int(line.split()[1])
        except OSError:
            pass
    return total, anon


def disk():
    """Sectors written, write requests and flushes of the spool's disk."""
    dev = os.stat(SPOOLS).st_dev
    for line in open("/proc/diskstats"):
        f = line.split()
        if (int(f[0]), int(f[1])) == (os.major(dev), os.minor(dev)):
            return int(f[9]), int(f[7]), int(f[18]) if len(f) > 18 else 0
    return 0, 0, 0


def state(path):
    """Header of a state file of smtpblast or smtpsinkd."""
    k = ("magic n total unique dup foreign corrupt bytes conns first_ns last_ns rejected open").split()
    try:
        with open(path, "rb") as f:
            return dict(zip(k, struct.unpack("13Q", f.read(104))))
    except (OSError, struct.error):
        return dict.fromkeys(k, 0)


def busy():
    """CPU seconds the whole machine has spent not idle."""
    f = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(f) - f[3] - f[4]) / os.sysconf("SC_CLK_TCK")


class Perf:
    """Counts sync system calls of the MTA and of all its children with perf(1)."""
    def __init__(self, path):
        self.path, self.p = path, None
        if os.environ.get("BENCH_PERF") == "0":   # tracepoints cost a fast server about 12 % of its rate
            return
        ev = ",".join(EVENTS)
        who = ",".join(str(p) for p in pids() + [os.getpid()])  # ours: starts queue runners
        try:
            self.p = subprocess.Popen(["perf", "stat", "-p", who, "-x", ",", "-o", path, "-e", ev],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            print("# no perf(1): syncs are not counted", file=sys.stderr)
            return
        time.sleep(0.3)

    def stop(self):
        if self.p is None:
            return {}
        self.p.send_signal(signal.SIGINT)
        self.p.wait()
        r = {}
        try:
            for line in open(self.path):
                f = line.split(",")
                if len(f) > 2 and f[0].isdigit():
                    r[f[2].split(":")[-1].replace("sys_enter_", "").replace("sys_enter", "syscalls")] = int(f[0])
        except OSError:
            pass
        return {k: v for k, v in r.items() if v}


class Meter:
    """Everything measured around one phase."""
    def __init__(self, name):
        os.sync()
        self.perf = Perf(f"{OUT}/{name}.perf")
        self.d0, self.c0, self.pss, self.next = disk(), cpu(), (0, 0), time.time() + 1
        self.b0, self.t0 = busy(), time.monotonic_ns()

    def tick(self):
        if time.time() >= self.next:
            self.pss = max(self.pss, pss_kb())
            self.next = time.time() + 2

    def stop(self, n):
        time.sleep(0.5)                        # unlinks, logging after the ack
        c1, b1, t1 = cpu(), busy(), time.monotonic_ns()
        sync = self.perf.stop()
        mine = sum(c1) - sum(self.c0)
        t = (t1 - self.t0) / 1e9
        self.pss = max(self.pss, pss_kb())
        os.sync()
        d1 = disk()
        n = max(n, 1)
        return {"cpu_user_per_1000": round((c1[0] - self.c0[0]) * 1000 / n, 3),
                "cpu_sys_per_1000": round((c1[1] - self.c0[1]) * 1000 / n, 3),
                "cpu_per_1000": round(mine * 1000 / n, 3),
                "mta_cpus": round(mine / t, 2),               # CPUs in use by the MTA, of os.cpu_count()
                "other_cpus": round((b1 - self.b0 - mine) / t, 2),  # generator, sink, anything else
                "pss_mib": round(self.pss[0] / 1024, 1), "pss_anon_mib": round(self.pss[1] / 1024, 1),
                "syncs_per_msg": {k: round(v / n, 3) for k, v in sync.items()},
                "kib_written_per_msg": round((d1[0] - self.d0[0]) / 2 / n, 1),
                "writes_per_msg": round((d1[1] - self.d0[1]) / n, 2),
                "flushes_per_msg": round((d1[2] - self.d0[2]) / n, 3)}


# ---- a mix of destinations ----
def mix_mail(a, name):
    """Blasts for the destinations that are not well, as many messages for each as the good ones have.  Returns how
    many of them will soon be deferred as long as no host of theirs is there."""
    counts = mix_counts(a.mix)
    per = max(1, a.n // counts["good"])
    total = 0
    for kind in ("dead", "slow", "hang"):
        b = blast(f"{name}.{kind}", per * counts[kind], 20, 50, a.size, timeout=560,
                  extra=["-R", kind, "--domain", f"{kind}.mix.test", "--domains", str(counts[kind])])
        total += b["acked"]
    return total - per * (counts["dead"] // 2)


def mix_hosts(name):
    """The slow ones reply after a second each time, the others take connections and say nothing."""
    return [sink_start(f"{name}.slow", 1, "-a", "0.0.0.0", "-p", str(SLOW), "-d", "1000", "--backlog", "1024")[0],
            sink_start(f"{name}.stuck", 1, "-a", "0.0.0.0", "-p", str(HANG), "--fail", "connect:hang",
                       "--backlog", "1024")[0]]


# ---- generator and sink ----------------------------------------------------
def sink_start(name, n, *extra):
    st = f"{OUT}/{name}.recv"
    p = subprocess.Popen([f"{TOOLS}/smtpsinkd", "-p", str(NEXT), "-n", str(n), "-S", st, "-T", "900", *extra],
                         stdout=open(f"{OUT}/{name}.sink.json", "w"))
    time.sleep(0.2)
    return p, st


def sink_stop(p, name):
    p.send_signal(signal.SIGTERM)
    p.wait()
    return json.load(open(f"{OUT}/{name}.sink.json"))


def blast(name, n, c, m, size, meter=None, timeout=120, extra=()):
    p = subprocess.Popen([f"{TOOLS}/smtpblast", "-p", str(IN), "-n", str(n), "-c", str(c), "-m", str(m),
                          "-s", str(size), "-S", f"{OUT}/{name}.sent", "-T", str(timeout), *extra],
                         stdout=open(f"{OUT}/{name}.blast.json", "w"))
    while p.poll() is None:
        time.sleep(0.05)
        if meter:
            meter.tick()
    return json.load(open(f"{OUT}/{name}.blast.json"))


def wait_for(f, limit, meter=None, idle=20):
    """Until f() is true; gives up after limit s, or idle s without progress of f.progress."""
    end, last, when = time.time() + limit, None, time.time()
    while time.time() < end:
        if f():
            return True
        if meter:
            meter.tick()
        cur = f.progress() if hasattr(f, "progress") else None
        if cur != last:
            last, when = cur, time.time()
        elif cur is not None and time.time() - when > idle:
            return False
        time.sleep(0.02)
    return False


def received(st, n):
    def f():
        return state(st)["unique"] >= n
    f.progress = lambda: state(st)["unique"]
    return f


def compare(name):
    r = sh([f"{TOOLS}/smtpsinkd", "--compare", f"{OUT}/{name}.sent", f"{OUT}/{name}.recv"],
           capture_output=True, text=True)
    return json.loads(r.stdout) if r.stdout.startswith("{") else {"error": r.stderr}


def lat(b):
    return {"eod_p50": b["eod_ms"]["p50"], "eod_p99": b["eod_ms"]["p99"], "eod_max": b["eod_ms"]["max"]}


def slow_sync_library(ms):
    """slowsync.c with this delay compiled in."""
    out = f"{TOOLS}/slowsync-{ms:g}.so"
    sh(["cc", "-O2", "-D_GNU_SOURCE", "-shared", "-fPIC", f"-DSLOWSYNC_MS={ms:g}", "-o", out,
        f"{HERE}/slowsync.c", "-ldl"], check=True)
    return out


TLS_KEYS = {"p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}


def make_certificate(kind):
    cert, key = f"{OUT}/bench.pem", f"{OUT}/bench.key"
    sh(["openssl", "req", "-x509", "-newkey", *TLS_KEYS[kind], "-nodes", "-keyout", key, "-out", cert, "-days", "30",
        "-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test"], check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


# ---- scenarios -------------------------------------------------------------
def run(peer, a, name):
    res = {"peer": peer.name, "scenario": a.scenario, "n": a.n, "c": a.c, "m": a.m, "size": a.size,
           "backlog": a.backlog, "dead": a.dead, "hang": a.hang, "pipelining": int(a.pipelining)}
    extra = ["-P"] if a.pipelining else []
    for e in a.blast_arg or []:
        extra.append(e)
    n = a.n

    sink_tls = ["--tls"] if a.tls else []
    if a.tls:                                  # one key for whoever is measured
        extra.append("--tls")
        a.cert, a.key = make_certificate(a.tls)
        res["tls"] = a.tls

    if a.scenario == "ceiling":                # generator straight into the sink
        s, st = sink_start(name, n, "-p", str(IN), *sink_tls)
        b = blast(name, n, a.c, a.m, a.size, extra=extra)
        k = sink_stop(s, name)
        res |= {"accept_rate": b["rate"], "gen_cpu_s": b["cpu_s"], "sink_cpu_s": k["cpu_s"],
                "msg_bytes": b["msg_bytes"], "check": compare(name)} | lat(b)
        return res

    good = []                                  # the sink's address, the blast's domains
    if a.mix:
        good = ["--domain", "good.mix.test", "--domains", str(mix_counts(a.mix)["good"])]
        sink_tls = [*sink_tls, "-a", "0.0.0.0", "--backlog", "1024"]
        res["mix"] = "alone" if a.mix_alone else a.mix
        sh("ip link add drop0 type veth peer name drop1 && ip link set drop0 up arp off && ip link set drop1 up && "
           "ip addr add 198.18.0.1/15 dev drop0", check=True)   # what is sent there is lost
    extra += good

    peer.slow_sync = slow_sync_library(a.slow_sync) if a.slow_sync else None
    peer.prepare(hold=a.scenario in ("accept", "drain") and peer.hold_by_config, args=a)
    hang = stuck = None
    if a.scenario == "accept" and peer.hold_by_sink:
        hang = sink_start(name + ".hang", 1, "--fail", "connect:hang")[0]
    peer.start()
    peer.wait_listening(IN)

    if a.backlog:                              # deferred mail of other runs lies there
        peer.fill(a.backlog, lambda k: blast(name + ".fill", k, 50, 50, 2048, timeout=560,
                                             extra=["-R", "old", "--domain", "other.test"]))
        res["backlog_seen"] = peer.queue_len()
        t = time.monotonic(); peer.show_queue(); res["mailq_s"] = round(time.monotonic() - t, 3)
        time.sleep(2)

    if a.dead:                                 # each next hop an address of its own, all refuse
        peer.fill(a.dead, lambda k: blast(name + ".dead", k, 50, 50, 2048, timeout=560,
                                          extra=["-R", "dead", "--domain", "dead.test", "--domains", str(k)]))
    if a.hang:                                 # it takes connections and says nothing
        stuck = sink_start(name + ".stuck", 1, "-p", str(HANG), "--fail", "connect:hang")[0]
        blast(name + ".stuck", a.hang, 20, 50, 2048, extra=["-R", "stuck", "--domain", "hang.test"])

    if a.scenario in ("accept", "refused"):
        if a.scenario == "accept":
            peer.hold()
        m = Meter(name)
        b = blast(name, n, a.c, a.m, a.size, m, extra=extra)
        res |= m.stop(b["acked"])
        res |= {"accept_rate": b["rate"], "acked": b["acked"], "msg_bytes": b["msg_bytes"],
                "errors": b["conn_errors"] + b["tempfail"], "error": b["error"]} | lat(b)
        if a.mailq:
            t = time.monotonic(); peer.show_queue(); res["mailq_s"] = round(time.monotonic() - t, 3)

    elif a.scenario == "e2e":
        sick = []
        if a.mix:                              # each good one has had mail before
            known = mix_counts(a.mix)["good"]
            s, st = sink_start(f"{name}.known", known, "-R", "known", *sink_tls)
            blast(f"{name}.known", known, a.c, a.m, a.size, extra=["-R", "known", *good])
            wait_for(received(st, known), 60)
            sink_stop(s, f"{name}.known")
        if a.mix and not a.mix_alone:          # they are being tried while the good mail comes and goes
            sick = mix_hosts(name)
            mix_mail(a, name)
        s, st = sink_start(name, n, "-R", "run", *sink_tls)
        m = Meter(name)
        b = blast(name, n, a.c, a.m, a.size, m, extra=extra)
        done = wait_for(received(st, b["acked"]), 150, m)
        res |= m.stop(b["acked"])
        k = sink_stop(s, name)
        t = max(k["last_ns"], b["last_ns"]) - b["start_ns"]
        res |= {"accept_rate": b["rate"], "e2e_rate": round(k["unique"] / (t / 1e9), 1), "done": done,
                "acked": b["acked"], "msg_bytes": b["msg_bytes"], "lag_s": round((k["last_ns"] - b["last_ns"]) / 1e9, 2), "max_gap_ms": k["max_gap_ms"],
                "errors": b["conn_errors"] + b["tempfail"], "error": b["error"],
                "sink_conns": k["conns"], "sink_peak": k["peak_conns"], "check": compare(name)} | lat(b)
        for p in sick:
            p.terminate(); p.wait()
        if a.tls:                              # handshakes: (full, resumed)
            res |= {"tls_in": (b["tls_full"], b["tls_resumed"]), "tls_out": (k["tls_full"], k["tls_resumed"])}

    elif a.scenario == "drain":
        peer.hold()
        sick, more = [], 0
        if a.mix and not a.mix_alone:
            more = mix_mail(a, name)
        b = blast(name, n, max(a.c, 20), 50, a.size, extra=good)
        peer.settle(n + a.backlog + a.dead + more)
        if more:
            sick = mix_hosts(name)
        s, st = sink_start(name, n, "-R", "run", *sink_tls)
        if a.dead_first:                       # they are tried already when the others go
            peer.release("domain:*.dead.test or domain:hang.test")
        m = Meter(name)
        peer.release(*(["domain:sink.test"] if a.dead_waits or a.dead_first else []))
        done = wait_for(received(st, b["acked"]), 150, m)
        res |= m.stop(b["acked"])
        k = sink_stop(s, name)
        t = k["last_ns"] - m.t0
        res |= {"drain_rate": round(k["unique"] / (t / 1e9), 1), "steady_rate": k["rate"], "done": done,
                "acked": b["acked"], "msg_bytes": b["msg_bytes"],
                "first_s": round((k["first_ns"] - m.t0) / 1e9, 2), "max_gap_ms": k["max_gap_ms"],
                "sink_conns": k["conns"], "sink_peak": k["peak_conns"], "check": compare(name)}
        for p in sick:
            p.terminate(); p.wait()
    for p in (hang, stuck):
        if p:
            p.terminate(); p.wait()
    peer.stop()
    return res


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("peer", choices=sorted(PEERS) + ["none"])
    ap.add_argument("scenario", choices=["ceiling", "accept", "refused", "e2e", "drain"])
    ap.add_argument("-n", type=int, default=2000, help="messages")
    ap.add_argument("-c", type=int, default=20, help="client sessions")
    ap.add_argument("-m", type=int, default=50, help="messages per connection, 0 = no limit")
    ap.add_argument("-s", "--size", type=int, default=4096)
    ap.add_argument("-P", "--pipelining", action="store_true")
    ap.add_argument("-b", "--backlog", type=int, default=0, help="deferred messages there before")
    ap.add_argument("--dead", type=int, default=0, metavar="N", help="N more, each for a dead next hop of its own (mtad only)")
    ap.add_argument("--dead-routes", type=int, default=0, metavar="N", help="routes as with --dead N, without the mail")
    ap.add_argument("--dead-waits", action="store_true", help="drain: the dead and hanging ones are not released")
    ap.add_argument("--dead-first", action="store_true", help="drain: they are released a moment before the others")
    ap.add_argument("--hang", type=int, default=0, metavar="N", help="N more for one that hangs (mtad only)")
    ap.add_argument("--mix", type=int, default=0, metavar="K",
                    help="drain, e2e: K destinations, of which 10 %% are dead, 5 %% slow, 1 %% hang (mtad only)")
    ap.add_argument("--mix-alone", action="store_true", help="the same without the mail for those")
    ap.add_argument("--tls", choices=sorted(TLS_KEYS), help="STARTTLS on both sides, sessions resumed (mtad, postfix, none)")
    ap.add_argument("--mailq", action="store_true", help="time the queue listing at the end")
    ap.add_argument("--set", action="append", default=[], help="peer setting, e.g. postfix main.cf line")
    ap.add_argument("--profile", action="store_true", help="count system calls, context switches, forks too")
    ap.add_argument("--slow-sync", type=float, default=0, metavar="MS", help="each sync takes MS longer (slowsync.c)")
    ap.add_argument("--blast-arg", action="append")
    ap.add_argument("-o", "--output", default=f"{OUT}/results.jsonl")
    ap.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    a = ap.parse_args()
    if a.profile: EVENTS.extend(PROFILE)
    os.makedirs(OUT, exist_ok=True)
    os.makedirs(SPOOLS, exist_ok=True)
    os.makedirs(TOOLS, exist_ok=True)
    if not a.inside:
        for t in ("smtpblast", "smtpsinkd"):
            src, dst = f"{HERE}/{t}.c", f"{TOOLS}/{t}"
            if not os.path.exists(dst) or os.path.getmtime(dst) < os.path.getmtime(src):
                sh(["cc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-o", dst, src, "-lssl", "-lcrypto"], check=True)
        os.environ["BENCH_ID"] = str(os.getpid())
        os.execvp("unshare", ["unshare", "-n", "-m", "-p", "-f", "--mount-proc", "--kill-child",
                              sys.executable, os.path.abspath(__file__), "--inside"] + sys.argv[1:])
    sh("ip link set lo up", check=True)
    os.makedirs(CG, exist_ok=True)
    name = f"{a.peer}-{a.scenario}-n{a.n}-c{a.c}-m{a.m}-s{a.size}-b{a.backlog}"
    peer = None if a.peer == "none" else PEERS[a.peer](f"{SPOOLS}/{a.peer}", CG, IN, NEXT)
    class Direct: name = "none"
    try:
        res = run(peer or Direct, a, name)
    finally:
        for p in pids():
            try: os.kill(p, signal.SIGKILL)
            except OSError: pass
        time.sleep(0.2)
        if peer: shutil.rmtree(f"{SPOOLS}/{a.peer}", ignore_errors=True)
        try: os.rmdir(CG)
        except OSError: pass
    if a.set: res["set"] = a.set
    if a.slow_sync: res["slow_sync_ms"] = a.slow_sync
    line = json.dumps(res)
    print(line, flush=True)
    with open(a.output, "a") as f:
        f.write(line + "\n")


if __name__ == "__main__":
    main()
