"""A private Exim that takes mail: each message becomes a file."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from . import exim
from .basics import free_ports, wait_for

CONFIG = """primary_hostname = exim.example
spool_directory = {folder}/spool
log_file_path = {folder}/spool/log-%s
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts =
disable_ipv6 = true
keep_environment =
acl_smtp_rcpt = accept
acl_smtp_data = accept
{options}
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  file = {folder}/mail/$message_exim_id
  user = Debian-exim
  message_prefix =
  message_suffix =
"""


class Exim:
    """`options` are lines of its main configuration."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="mtad-exim.")
        os.chmod(self.folder, 0o755)
        self.port = free_ports(1)[0]
        for name in ("spool", "mail"):
            os.mkdir(f"{self.folder}/{name}")
        with open(f"{self.folder}/conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(folder=self.folder, port=self.port,
                                  options="\n".join(options)))
        os.chmod(f"{self.folder}/conf", 0o644)
        self.process = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c",
             exim.RUN.format(folder=self.folder, tree=exim.TREE), "sh",
             "/usr/sbin/exim4", "-C", f"{self.folder}/conf", "-bdf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        wait_for("Exim greets", self._greets)

    def _greets(self):
        assert self.process.poll() is None, self.process.stderr.read()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                return s.recv(600).startswith(b"220")
        except OSError:
            return False

    @property
    def messages(self):
        """What has arrived, in CRLF lines."""
        found = []
        for name in sorted(os.listdir(f"{self.folder}/mail")):
            if name.endswith((".lock", ".tmp")) or "." in name:
                continue
            with open(f"{self.folder}/mail/{name}", "rb") as f:
                found.append(f.read().replace(b"\n", b"\r\n"))
        return found

    def close(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            for child in f.read().split():
                os.kill(int(child), signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
