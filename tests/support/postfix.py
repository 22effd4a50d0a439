"""A private Postfix: an unpacked package in namespaces of its own, as a
server to compare with, or as a next hop."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from .basics import free_ports, is_root, wait_for

PEERS = os.environ.get("MTAD_PEERS", "/opt/peers")
TREE = os.path.join(PEERS, "postfix")
USERS = (("postfix", 901), ("postdrop", 902))


def is_there():
    return is_root() and os.path.exists(f"{TREE}/usr/sbin/postfix") and \
        shutil.which("unshare") is not None


def tool(name):
    """The path of a program of the package that needs no configuration."""
    return os.path.join(TREE, "usr/sbin", name)


class Postfix:
    """`settings` go into main.cf.  Accepts for anybody in mynetworks."""

    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="mtad-postfix.")
        os.chmod(self.folder, 0o755)
        self.port = free_ports(1)[0]
        self.settings = {
            "compatibility_level": "3.6", "myhostname": "relay.example.org",
            "mydestination": "", "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "queue_directory": f"{self.folder}/queue",
            "data_directory": f"{self.folder}/data", "alias_maps": "",
            "alias_database": "", "local_recipient_maps": "",
            "smtp_tls_security_level": "none",
            "smtpd_tls_security_level": "none",
            "local_header_rewrite_clients": "",
            "smtpd_relay_restrictions":
                "permit_mynetworks, reject_unauth_destination",
            "maillog_file": "/dev/stdout", "disable_dns_lookups": "yes",
            **settings}
        self.log = open(f"{self.folder}/log", "wb")
        self.process = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc",
             sys.executable, "-B", "-m", "support.postfix", self.folder,
             str(self.port), *(f"{k}={v}" for k, v in self.settings.items())],
            cwd=os.path.join(os.path.dirname(__file__), ".."),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for("Postfix greets", self._greets)

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
        # the first process of the namespace takes all others with it; its
        # parent's --kill-child is undone when it changes its credentials
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


def _run(folder, port, settings):
    """In the new namespaces: lays the package over this system, as it
    appears to us only, and becomes Postfix's master."""
    def sh(command):
        subprocess.run(command, shell=True, check=True)

    scratch = f"{folder}/scratch"
    sh("mount --make-rprivate /")
    os.mkdir(scratch)
    sh(f"mount -t tmpfs tmpfs {scratch}")
    for target in ("/usr", "/etc", "/var/lib"):
        name = target.strip("/").replace("/", "-")
        lower = target if target == "/var/lib" else f"{TREE}{target}:{target}"
        for part in ("upper", "work"):
            os.mkdir(f"{scratch}/{name}-{part}")
        sh(f"mount -t overlay overlay -o lowerdir={lower},"
           f"upperdir={scratch}/{name}-upper,workdir={scratch}/{name}-work "
           f"{target}")
    for user, number in USERS:
        for path, line in (
                ("/etc/passwd", f"{user}:x:{number}:{number}::/:/bin/false\n"),
                ("/etc/group", f"{user}:x:{number}:\n")):
            with open(path, "a", encoding="utf-8") as f:
                f.write(line)
    with open("/usr/share/postfix/main.cf.debian", encoding="utf-8") as f:
        text = f.read()
    with open("/etc/postfix/main.cf", "w", encoding="utf-8") as f:
        f.write(text + "".join(f"{s.replace('=', ' = ', 1)}\n"
                               for s in settings))
    sh("cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf")
    sh(f"sed -i 's/^smtp      inet  n       -       [yn-]/127.0.0.1:{port} "
       r"inet n - n/; s/^\([a-z][a-z-]* *\(unix\|inet\|fifo\) *[-yn] *[-yn] "
       r"*\)[-y]/\1n/' /etc/postfix/master.cf")
    sh(f"mkdir -p {folder}/queue {folder}/data && chown 901 {folder}/data")
    sh("grep -q ^postlog /etc/postfix/master.cf || echo "
       "'postlog unix-dgram n - n - 1 postlogd' >>/etc/postfix/master.cf")
    os.execvp("postfix", ["postfix", "start-fg"])


if __name__ == "__main__":
    _run(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
