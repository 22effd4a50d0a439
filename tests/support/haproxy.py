"""A real haproxy in front of a relay: TCP in, a PROXY header and TCP out."""
import os
import shutil
import subprocess
import tempfile

from .basics import free_ports, wait_for

PROGRAM = shutil.which("haproxy") or "/usr/sbin/haproxy"


def is_there():
    return os.access(PROGRAM, os.X_OK)


class HAProxy:
    """Connects to the relay's `port` from `source`; `words` are what stands
    behind the server's address, such as send-proxy-v2."""

    def __init__(self, port, source, *words):
        self.port = free_ports(1)[0]
        self.folder = tempfile.mkdtemp(prefix="mtad-haproxy.")
        path = os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"""
global
    maxconn 500
defaults
    mode tcp
    timeout connect 20s
    timeout client 60s
    timeout server 60s
listen smtp
    bind 127.0.0.1:{self.port}
    server relay 127.0.0.1:{port} source {source} {" ".join(words)}
""")
        self.process = subprocess.Popen(
            [PROGRAM, "-db", "-f", path], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("haproxy listens", self._listens)

    def _listens(self):
        assert self.process.poll() is None, "haproxy ended at its start"
        with open("/proc/net/tcp", encoding="ascii") as f:
            return f" 0100007F:{self.port:04X} 00000000:0000 0A " in f.read()

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
