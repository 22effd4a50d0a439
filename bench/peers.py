"""How to set up, run, hold and release each mail server under test.

Each peer's Debian package is unpacked (dpkg -x) in /opt/peers/NAME and laid
over /usr and /etc inside the benchmark's private mount namespace, so several
conflicting packages can be measured on one machine without installing any.
"""
import json, os, socket, subprocess, time

DEAD = 2599                     # nobody listens there
SLOW, HANG = 2529, 2528
RELEASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../build/release/bin")
PEERS_DIR = os.environ.get("MTAD_PEERS", "/opt/peers")


def sh(cmd, check=True, **kw):
    return subprocess.run(cmd, shell=True, check=check, **kw)


def mix_counts(k):
    """How many of K destinations are what."""
    counts = {"dead": k // 10, "slow": k // 20, "hang": max(1, k // 100)}
    return counts | {"good": k - sum(counts.values())}


class Peer:
    hold_by_config = False      # prepare(hold=True) makes it queue only
    hold_by_sink = False        # a next hop that never answers holds it
    users = ()                  # (user, uid), groups get the same id
    slow_sync = None            # a library to preload everywhere

    def __init__(self, spool, cg, port, next_port):
        self.spool, self.cg, self.port, self.next = spool, cg, port, next_port
        self.root = f"{PEERS_DIR}/{self.package}"

    # -- namespace ----------------------------------------------------------
    def overlay(self):
        sh("mount --make-rprivate /")
        sh("mkdir -p /tmp/ovl && mount -t tmpfs tmpfs /tmp/ovl && mkdir -p /tmp/ovl/{e,ew,v,vw,u,uw}".replace(
            "{e,ew,v,vw,u,uw}", " /tmp/ovl/".join(["e", "ew", "v", "vw", "u", "uw"])))
        if os.path.isdir(self.root + "/etc"):
            sh(f"mount -t overlay overlay -o lowerdir={self.root}/usr:/usr,upperdir=/tmp/ovl/u,workdir=/tmp/ovl/uw /usr")
            sh(f"mount -t overlay overlay -o lowerdir={self.root}/etc:/etc,upperdir=/tmp/ovl/e,workdir=/tmp/ovl/ew /etc")
        else:
            sh("mount -t overlay overlay -o lowerdir=/etc,upperdir=/tmp/ovl/e,workdir=/tmp/ovl/ew /etc")
        sh("mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/tmp/ovl/v,workdir=/tmp/ovl/vw /var/lib")
        sh("mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/spool")
        for u, uid in self.users:
            for path, line in (("/etc/passwd", f"{u}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n"),
                               ("/etc/group", f"{u}:x:{uid}:\n"), ("/etc/shadow", f"{u}:*:1::::::\n")):
                with open(path, "a") as f:
                    f.write(line)
        write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        write("/etc/hosts", "127.0.0.1 localhost bench.test\n")
        write("/etc/mailname", "bench.test\n")
        if self.slow_sync:      # not by LD_PRELOAD: some servers clear the environment of their children
            write("/etc/ld.so.preload", self.slow_sync + "\n")
        sh(f"rm -rf {self.spool} && mkdir -p {self.spool}")

    def cgsh(self, cmd, **kw):
        """Runs a command inside the measured cgroup."""
        return sh(f"echo 0 > {self.cg}/cgroup.procs; {cmd}", **kw)

    def cgpopen(self, cmd):
        return subprocess.Popen(["sh", "-c", f"echo 0 > {self.cg}/cgroup.procs; exec {cmd}"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait_listening(self, port):
        for _ in range(100):
            try:
                s = socket.create_connection(("127.0.0.1", port), 2)
                s.settimeout(5); s.recv(100); s.sendall(b"QUIT\r\n"); s.recv(100); s.close()
                time.sleep(0.5)
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name}: does not listen")

    def hold(self): pass
    def settle(self, n): pass

    def fill(self, n, blast):
        """Leaves n deferred messages for other.test, whose next hop (DEAD) is down."""
        b = blast(n)
        if b["acked"] < n: print("fill: only", b["acked"], b["error"])
        self.settle(n)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def count_files(d):
    return sum(len(f) for _, _, f in os.walk(d))


class Postfix(Peer):
    name, package = "postfix", "postfix"
    hold_by_sink = True
    users = (("postfix", 901), ("postdrop", 902))
    extra = ""

    def prepare(self, hold, args):
        self.overlay()
        s = self.spool
        sh("cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf; cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf")
        sh(f"sed -i 's/^smtp      inet  n       -       [yn-]/127.0.0.1:{self.port} inet n - n/; "
           r"s/^\([a-z][a-z-]* *\(unix\|inet\|fifo\) *[-yn] *[-yn] *\)[-y]/\1n/' /etc/postfix/master.cf")
        if args.tls: sh("sed -i 's/^#tlsproxy /tlsproxy /' /etc/postfix/master.cf")
        with open("/etc/postfix/main.cf", "a") as f:
            f.write(f"""
myhostname = bench.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{self.next}
transport_maps = inline:{{ {{ other.test = smtp:[127.0.0.1]:{DEAD} }} }}
queue_directory = {s}/q
data_directory = {s}/data
alias_maps =
alias_database =
local_recipient_maps =
smtp_tls_security_level = none
smtpd_tls_security_level = none
{self.tls(args)}
{self.extra}
""" + "\n".join(args.set) + "\n")
        sh(f"mkdir -p {s}/q {s}/data && chown 901 {s}/data && chmod 755 {s} {s}/q")

    def tls(self, args):
        """Sessions are resumed on both sides; outgoing connections are handed on, as without TLS."""
        if not args.tls: return ""
        return f"""smtpd_tls_security_level = may
smtpd_tls_chain_files = {args.key}, {args.cert}
smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache
smtp_tls_security_level = may
smtp_tls_session_cache_database = btree:$data_directory/smtp_scache
smtp_tls_connection_reuse = yes"""

    def start(self):
        self.cgsh("postfix start", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def queue_len(self):
        return count_files(self.spool + "/q/deferred") + count_files(self.spool + "/q/active") + count_files(self.spool + "/q/incoming")

    def settle(self, n):        # until all lie in deferred
        for _ in range(600):
            if count_files(self.spool + "/q/deferred") >= n: return
            time.sleep(0.2)

    def release(self): self.cgsh("postqueue -f")
    def show_queue(self): sh("postqueue -p > /dev/null")
    def stop(self): sh("postfix abort", check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class PostfixTuned(Postfix):
    name = "postfix-tuned"
    extra = """in_flow_delay = 0
default_process_limit = 200
smtp_destination_concurrency_limit = 50
initial_destination_concurrency = 20
qmgr_message_active_limit = 100000
qmgr_message_recipient_limit = 100000"""


class OpenSMTPD(Peer):
    name, package = "opensmtpd", "opensmtpd"
    users = (("opensmtpd", 903), ("opensmtpq", 904))
    extra = ""

    def prepare(self, hold, args):
        self.overlay()
        sh(f"mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty {self.spool}/q && chmod 711 {self.spool}/q "
           f"&& mount --bind {self.spool}/q /var/spool/smtpd && chmod 755 /var/lib/opensmtpd/empty")
        sh(f"chmod 755 {self.spool}; touch /etc/aliases; chgrp 904 /usr/sbin/smtpctl; chmod 2755 /usr/sbin/smtpctl")
        write("/etc/smtpd.conf", "\n".join(args.set) + self.extra + f"""
listen on 127.0.0.1 port {self.port} hostname bench.test
action "relay" relay host smtp://127.0.0.1:{self.next}
action "dead" relay host smtp://127.0.0.1:{DEAD}
match from any for domain "other.test" action "dead"
match from any for any action "relay"
""")

    def start(self):
        self.p = self.cgpopen("/usr/sbin/smtpd -F -f /etc/smtpd.conf")

    def hold(self): sh("smtpctl pause mta", stdout=subprocess.DEVNULL)
    def release(self): sh("smtpctl resume mta", stdout=subprocess.DEVNULL)

    def settle(self, n):        # until the tries at the dead next hop are over
        for _ in range(60):
            time.sleep(1)
            if self.stats().get("scheduler.envelope.inflight", "0") == "0": return

    def stats(self):
        r = sh("smtpctl show stats", check=False, capture_output=True, text=True).stdout
        return dict(x.split("=", 1) for x in r.split() if "=" in x)

    def queue_len(self):
        d = self.stats()
        return int(d.get("scheduler.envelope", -1))

    def show_queue(self): sh("smtpctl show queue > /dev/null", check=False)
    def stop(self): self.p.terminate()


class OpenSMTPDTuned(OpenSMTPD):
    name = "opensmtpd-tuned"
    extra = """
mta limit session-keepalive 0
mta limit conn-delay-route 0
mta limit conn-delay-source 0
mta limit conn-delay-connector 0
mta limit conn-delay-host 0
mta limit max-conn-per-route 20
mta limit max-conn-per-host 20
mta limit conn-delay-relay 0
mta limit conn-delay-domain 0
mta limit task-hiwat 5000
mta limit task-lowat 2000
mta limit task-release 1000
mta limit session-mail-max 10000
scheduler limit max-inflight 20000
"""


class Exim(Peer):
    name, package = "exim", "exim4"
    hold_by_config = True
    users = (("Debian-exim", 905),)
    runners = 4

    def prepare(self, hold, args):
        self.overlay()
        sh(f"mkdir -p /var/spool/exim4 /var/log/exim4 {self.spool}/q && chown 905:905 {self.spool}/q && chmod 755 {self.spool} "
           f"&& mount --bind {self.spool}/q /var/spool/exim4 && chmod u+s /usr/sbin/exim4; mkdir -p /run/exim4; chown 905:905 /run/exim4")
        sh("mount -t tmpfs tmpfs /var/log/exim4 && chown 905:905 /var/log/exim4")
        write("/etc/exim4/exim4.conf", f"""
primary_hostname = bench.test
log_file_path = syslog
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port}
tls_advertise_hosts =
smtp_accept_max = 300
smtp_accept_queue_per_connection = 0
smtp_accept_reserve = 0
smtp_connect_backlog = 200
queue_only = {"true" if hold else "false"}
queue_run_max = 20
acl_smtp_rcpt = accept
keep_environment =
disable_ipv6 = true
""" + "\n".join(args.set) + f"""
begin acl
begin routers
dead:
  driver = manualroute
  domains = other.test
  route_list = * 127.0.0.1 byname
  self = send
  transport = outdead
  no_more
relay:
  driver = manualroute
  route_list = * 127.0.0.1 byname
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = {self.next}
  allow_localhost
  hosts_avoid_tls = *
outdead:
  driver = smtp
  port = {DEAD}
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
""")
        sh("chmod 644 /etc/exim4/exim4.conf; chown root:root /etc/exim4/exim4.conf")

    def start(self):
        self.p = self.cgpopen("/usr/sbin/exim4 -bdf")

    def queue_len(self): return count_files(self.spool + "/q/input") // 2

    def fill(self, n, blast):   # by a daemon that only queues
        self.p.terminate(); self.p.wait()
        self.p = self.cgpopen("/usr/sbin/exim4 -bdf -odq")
        self.wait_listening(self.port)
        Peer.fill(self, n, blast)
        self.p.terminate(); self.p.wait()
        self.start()
        self.wait_listening(self.port)

    def release(self):
        self.q = [self.cgpopen("/usr/sbin/exim4 -qff") for _ in range(self.runners)]

    def show_queue(self): sh("exim4 -bp > /dev/null", check=False)
    def stop(self): self.p.terminate()


class Haraka(Peer):             # npm install Haraka in /opt/peers/haraka; e2e only
    name, package = "haraka", "haraka"

    def prepare(self, hold, args):
        self.overlay()
        s = self.spool
        for f, t in {"smtp.ini": f"listen=127.0.0.1:{self.port}\nnodes=cpus\n", "me": "bench.test\n",
                     "plugins": "bench\n", "log.ini": "[main]\nlevel=WARN\n", "tls.ini": "",
                     "outbound.ini": "disabled=false\nconcurrency_max=100\nenable_tls=false\nlocal_mx_ok=true\n",
                     "host_list": "bench.test\n"}.items():
            write(f"{s}/config/{f}", t)
        write(f"{s}/plugins/bench.js", """'use strict';
exports.hook_rcpt = (next, connection) => { connection.relaying = true; next(OK); };
exports.hook_get_mx = (next) => next(OK, [{ priority: 0, exchange: '127.0.0.1', port: %d }]);
""" % self.next)
        sh(f"mkdir -p {s}/queue; cp {self.root}/node_modules/Haraka/config/connection.ini {s}/config/")

    def start(self):
        self.p = self.cgpopen(f"/usr/bin/node {self.root}/node_modules/Haraka/bin/haraka -c {self.spool}")

    def stop(self): self.p.terminate()


class Mtad(Peer):
    """The project itself: the release build in MTAD_BIN (default: build/release/bin of this checkout)."""
    name, package = "mtad", "mtad"
    hold_by_sink = True
    users = (("_mtad-smtpd", 911), ("_mtad-queue", 912), ("_mtad-deliver", 913), ("_mtad-key", 914), ("_mtad-dns", 915), ("mtad", 916), ("_mtad-fetch", 917))
    config = """hostname: bench.test
runtime: run
listeners: [{{address: "127.0.0.1:{port}"}}]
relay: {{networks: [127.0.0.0/8]}}
routes:
  - {{to: other.test, via: "smtp://127.0.0.1:{dead}"}}
{more}  - {{to: "*", via: "smtp://127.0.0.1:{next}"}}
queue: {{path: q, first_retry: 1h, max_retry: 1h, warn: 4h, expire: 5d}}
limits: {{connections: 2000, connections_per_client: 2000}}
log: {{level: info, format: text}}
"""

    def prepare(self, hold, args):
        self.bin = os.path.abspath(os.environ.get("MTAD_BIN", RELEASE))
        self.overlay()
        self.conf = f"{self.spool}/mtad.yaml"
        tls = f"tls: {{certificate: {args.cert}, key: {args.key}}}\n" if args.tls else ""
        write(self.conf, self.config.format(port=self.port, next=self.next, dead=DEAD, more=self.routes(args)) + tls + "\n".join(args.set) + "\n")

    def routes(self, args):
        """A next hop for each dead domain, and one for the domain that hangs."""
        rows = [f'  - {{to: d{i}.dead.test, via: "smtp://127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}:{DEAD}"}}\n'
                for i in range(max(args.dead, args.dead_routes))]
        if args.mix:
            rows += self.mix_routes(args.mix)
        return "".join(rows) + '  - {to: hang.test, via: "smtp://127.0.0.1:2528"}\n'

    def mix_routes(self, k):
        """An address for each destination.  Every other dead one refuses connections, the rest take no notice."""
        ports = {"good": self.next, "dead": DEAD, "slow": SLOW, "hang": HANG}
        for j, (kind, count) in enumerate(mix_counts(k).items()):
            for i in range(count):
                net = f"198.18.{i // 250}" if kind == "dead" and i % 2 else f"127.{10 + j}.{i // 250}"
                yield f'  - {{to: d{i}.{kind}.mix.test, via: "smtp://{net}.{2 + i % 250}:{ports[kind]}"}}\n'

    def start(self):
        self.p = self.cgpopen(f"{self.bin}/mtad -c {self.conf}")

    def ctl(self, *words):
        return subprocess.run([f"{self.bin}/mtactl", "-c", self.conf, *words], capture_output=True, text=True, check=True).stdout

    def count(self, selection="all"):
        return int(json.loads(self.ctl("--json", "queue", "count", selection))["count"])

    def queue_len(self): return self.count()

    def settle(self, n):
        for _ in range(600):
            if self.count("state:deferred") >= n: return
            time.sleep(0.2)

    def release(self, selection="all"): self.ctl("queue", "retry", selection)
    def show_queue(self): self.ctl("queue", "list", "all")

    def stop(self):
        self.p.terminate()
        try:
            self.p.wait(30)
        except subprocess.TimeoutExpired:
            print("mtad: did not stop within 30 s", flush=True)


PEERS = {c.name: c for c in (Postfix, PostfixTuned, OpenSMTPD, OpenSMTPDTuned, Exim, Haraka, Mtad)}
