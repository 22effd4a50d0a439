#!/usr/bin/env python3
"""TLS handshakes a second of mtad, by implicit TLS, and of `openssl s_server` with the same key, in turn.

    handshakes.py [--key p256|rsa] [--rounds 5] [--seconds 3] [--clients 4]

Rates, and processor seconds of the servers for 1000 handshakes (of smtpd and keyd; of s_server); medians, ratio
mtad/openssl. s_server is single-threaded: the rates say who gets how far on this machine, the processor seconds what
a handshake costs. On a machine that is not idle only the latter mean anything.
"""
import argparse, json, os, shutil, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("MTAD_BIN", f"{HERE}/../build/release/bin")
KEYS = {"p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
CONFIG = """hostname: bench.test
runtime: run
listeners: [{{address: "127.0.0.1:{port}", tls: implicit}}]
tls: {{certificate: cert.pem, key: cert.key}}
relay: {{networks: [127.0.0.0/8]}}
routes: [{{to: "*", via: "smtp://127.0.0.1:1"}}]
queue: {{path: spool}}
limits: {{connections: 2000, connections_per_client: 2000}}
log: {{level: error}}
"""


def cpu(pids):
    total = 0
    for pid in pids:
        f = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        total += int(f[11]) + int(f[12])
    return total / os.sysconf("SC_CLK_TCK")


def measure(tool, port, pids, a, resume):
    before = cpu(pids)
    out = subprocess.run([tool, "-p", str(port), "-c", str(a.clients), "-T", str(a.seconds), *(["-r"] if resume else [])],
                         capture_output=True, text=True, check=True).stdout
    r = json.loads(out)
    n = r["full"] + r["resumed"]
    if r["failed"] or (resume and r["full"] > a.clients) or (not resume and r["resumed"]):
        print("#", r, flush=True)
    return r["rate"], (cpu(pids) - before) * 1000 / n


def serve(folder, key, ports):
    subprocess.run(["openssl", "req", "-x509", "-newkey", *KEYS[key], "-nodes", "-keyout", f"{folder}/cert.key", "-out",
                    f"{folder}/cert.pem", "-days", "30", "-subj", "/CN=bench.test"], check=True, capture_output=True)
    os.chmod(f"{folder}/cert.key", 0o600)
    os.chmod(folder, 0o755)
    with open(f"{folder}/mtad.yaml", "w") as f:
        f.write(CONFIG.format(port=ports[0]))
    mtad = subprocess.Popen([f"{BIN}/mtad", "-c", f"{folder}/mtad.yaml"], stdin=subprocess.DEVNULL)
    plain = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{ports[1]}", "-cert", f"{folder}/cert.pem",
                              "-key", f"{folder}/cert.key", "-quiet", "-no_ign_eof", "-num_tickets", "1"],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    pids = json.loads(subprocess.run([f"{BIN}/mtactl", "-c", f"{folder}/mtad.yaml", "status", "--json"],
                                     capture_output=True, text=True, check=True).stdout)["pids"]
    return mtad, plain, pids["smtpd"] + pids["keyd"]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--key", choices=sorted(KEYS), default="p256")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=3)
    ap.add_argument("--clients", type=int, default=4)
    a = ap.parse_args()
    folder = tempfile.mkdtemp(prefix="mtad-handshakes.")
    tool = f"{folder}/tlsshake"
    subprocess.run(["cc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-o", tool, f"{HERE}/tlsshake.c", "-lssl", "-lcrypto"],
                   check=True)
    ports = 2465, 2466
    mtad, plain, ours = serve(folder, a.key, ports)
    try:
        for resume in (False, True):
            rows = [[measure(tool, port, pids, a, resume) for port, pids in ((ports[0], ours), (ports[1], [plain.pid]))]
                    for _ in range(a.rounds)]
            for i, what in enumerate(("a second", "CPU-s per 1000")):
                x, y = (statistics.median(r[k][i] for r in rows) for k in (0, 1))
                ratio = statistics.median(r[0][i] / r[1][i] if r[1][i] else float("nan") for r in rows)
                print(f"{a.key} {'resumed' if resume else 'full':8} {what:15} mtad {x:10.3f}  openssl {y:10.3f}  "
                      f"ratio {ratio:6.3f}", flush=True)
    finally:
        plain.kill()
        mtad.terminate()
        mtad.wait(20)
        plain.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
