"""Servers of others that take our mail and hand it on: the unpacked packages of
Exim and OpenSMTPD, laid over this system in namespaces of their own, and
smtp-server, which ends here.  Each refuses the recipients called `lost`."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from .basics import free_ports, is_root, wait_for

PEERS = os.environ.get("MTAD_PEERS", "/opt/peers")
NODE_PATHS = [path for path in (
    os.path.join(PEERS, "smtp-server/node_modules"), "/usr/share/nodejs")
    if os.path.isdir(os.path.join(path, "smtp-server"))]
OVER = """set -e
mount --make-rprivate /
mkdir {folder}/over && mount -t tmpfs tmpfs {folder}/over
mkdir {folder}/over/up {folder}/over/work
mount -t overlay overlay -o lowerdir=/etc,upperdir={folder}/over/up,\
workdir={folder}/over/work /etc
mount -t overlay overlay -o lowerdir={tree}/usr:/usr /usr
for user in {users}; do
    echo "$user::/:/bin/false" >>/etc/passwd
    echo "$user:" >>/etc/group
done
"""
EXIM = """primary_hostname = exim.example
spool_directory = {folder}/spool
log_file_path = {folder}/spool/log-%s
qualify_domain = sender.example
disable_ipv6 = true
keep_environment =
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
tls_advertise_hosts = *
tls_certificate = {folder}/cert
tls_privatekey = {folder}/key
acl_smtp_rcpt = check
begin acl
check:
  deny local_parts = lost
       message = nobody of that name
  accept
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1::{next} byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *
"""
EXIM_RUN = """mkdir {folder}/spool
chown -R 905:905 {folder}/spool {folder}/cert {folder}/key
exec exim4 -bdf -oX 127.0.0.1.{port} -C {folder}/conf
"""
OPENSMTPD = """pki hop cert "{folder}/cert"
pki hop key "{folder}/key"
listen on 127.0.0.1 port {port} hostname hop.example tls pki hop
action "out" relay host smtp://127.0.0.1:{next}
match from any for rcpt-to regex "^lost@" reject
match from any for any action "out"
"""
OPENSMTPD_RUN = """mount -t tmpfs tmpfs /var/spool
mkdir -m 711 /var/spool/smtpd
mount -t tmpfs tmpfs /run
mkdir -p {folder}/over/lib /var/lib && mount -t tmpfs tmpfs /var/lib
mkdir -p -m 755 /var/lib/opensmtpd/empty
touch /etc/aliases
exec smtpd -F -f {folder}/conf
"""
NODE = """const fs = require('fs'), path = require('path');
const [port, folder, user, password] = process.argv.slice(2);
const { SMTPServer } = require('smtp-server');
let count = 0;
new SMTPServer({
    key: fs.readFileSync(folder + '/key'),
    cert: fs.readFileSync(folder + '/cert'),
    authMethods: ['PLAIN', 'LOGIN'], disableReverseLookup: true,
    onAuth(auth, session, done) {
        if (auth.username === user && auth.password === password)
            return done(null, { user });
        done(new Error('wrong password'));
    },
    onRcptTo(address, session, done) {
        if (!address.address.startsWith('lost@')) return done();
        const error = new Error('nobody of that name');
        error.responseCode = 550;
        done(error);
    },
    onData(stream, session, done) {
        const at = path.join(folder, 'mail', String(++count));
        const to = session.envelope.rcptTo.map(r => r.address).join(' ');
        const out = fs.createWriteStream(at + '.part');
        out.write(`${session.secure} ${session.user} ${to}\\n`);
        stream.pipe(out);
        out.on('close', () => {
            fs.renameSync(at + '.part', at);
            done();
        });
    },
}).listen(Number(port), '127.0.0.1');
"""


class Hub:
    """One of them at `port`; what it takes goes to the port `next_hop`."""

    tree, users, conf, run = None, (), "", ""

    def __init__(self, next_hop, certificate):
        self.folder = tempfile.mkdtemp(prefix="mtad-hub.")
        os.chmod(self.folder, 0o755)
        self.port = free_ports(1)[0]
        self.words = {"folder": self.folder, "port": self.port,
                      "next": next_hop, "users": " ".join(self.users),
                      "tree": os.path.join(PEERS, self.tree or "")}
        shutil.copy(certificate.chain, f"{self.folder}/cert")
        shutil.copy(certificate.key, f"{self.folder}/key")
        with open(f"{self.folder}/conf", "w", encoding="ascii") as f:
            f.write(self.conf.format(**self.words) if self.tree
                    else self.conf)
        self.log = open(f"{self.folder}/log", "wb")
        self.process = None
        self.start()

    @classmethod
    def is_there(cls):
        return is_root() and shutil.which("unshare") is not None and \
            os.path.isdir(os.path.join(PEERS, cls.tree))

    def command(self):
        return ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc",
                "sh", "-c", (OVER + self.run).format(**self.words)]

    def start(self):
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        wait_for("it greets", self._greets)

    def _greets(self):
        assert self.process.poll() is None, self.log_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                return s.recv(600).startswith(b"220")
        except OSError:
            return False

    def log_text(self):
        with open(f"{self.folder}/log", encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    def close(self):
        # the first process of its namespace takes all the others with it
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            for child in f.read().split():
                os.kill(int(child), signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Exim(Hub):
    tree, conf, run = "exim4", EXIM, EXIM_RUN
    users = ("Debian-exim:x:905:905",)


class OpenSMTPD(Hub):
    tree, conf, run = "opensmtpd", OPENSMTPD, OPENSMTPD_RUN
    users = ("opensmtpd:x:903:903", "opensmtpq:x:904:904")


class SmtpServer(Hub):
    """Takes mail of that user only; each message is a file of `mail`, whose
    first line has the user, the recipients and whether it came by TLS."""

    conf = NODE

    def __init__(self, certificate, user, password):
        self.user, self.password = user, password
        super().__init__(0, certificate)

    @classmethod
    def is_there(cls):
        return shutil.which("node") is not None and bool(NODE_PATHS)

    def command(self):
        os.mkdir(f"{self.folder}/mail")
        return ["env", f"NODE_PATH={NODE_PATHS[0]}", "node",
                f"{self.folder}/conf", str(self.port), self.folder,
                self.user, self.password]

    def mail(self):
        """(is_tls, user, recipients, content) of each message."""
        found = []
        for name in os.listdir(f"{self.folder}/mail"):
            if name.endswith(".part"):
                continue
            with open(f"{self.folder}/mail/{name}", "rb") as f:
                head, _, content = f.read().partition(b"\n")
            is_tls, user, *to = head.decode().split(" ")
            found.append((is_tls == "true", user, to, content))
        return found
