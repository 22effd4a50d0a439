"""A real resolver, unbound, that knows some names itself and no other server."""
import os
import shutil
import subprocess
import tempfile

from .basics import free_ports, wait_for

PEERS = os.environ.get("MTAD_PEERS", "/opt/peers")


def program(name):
    """Unpacked for the tests, or the system's."""
    path = os.path.join(PEERS, name, "usr/sbin", name)
    if os.access(path, os.X_OK):
        return path
    return shutil.which(name) or f"/usr/sbin/{name}"


PROGRAM = program("unbound")


def is_there():
    return os.access(PROGRAM, os.X_OK)


class Unbound:
    """`records` are lines of a zone file; each of `zones` has those alone."""

    def __init__(self, zones, records):
        self.port = free_ports(1)[0]
        self.folder = tempfile.mkdtemp(prefix="mtad-unbound.")
        path = os.path.join(self.folder, "unbound.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"""
server:
    interface: 127.0.0.1@{self.port}
    access-control: 127.0.0.0/8 allow
    directory: "{self.folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    num-threads: 1
    module-config: "iterator"
    do-ip6: no
""")
            for zone in zones:
                f.write(f'    local-zone: "{zone}." static\n')
            for record in records:
                f.write(f"    local-data: '{record}'\n")
            f.write("remote-control:\n    control-enable: no\n")
        self.process = subprocess.Popen(
            [PROGRAM, "-d", "-c", path], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("unbound listens", self._listens)

    def _listens(self):
        assert self.process.poll() is None, "unbound ended at its start"
        with open("/proc/net/udp", encoding="ascii") as f:
            return f" 0100007F:{self.port:04X} " in f.read()

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
