"""Signed zones, served by a real nsd to a real unbound, which validates them.
Inside a network of our own (network.enter): the resolver is 127.0.0.1."""
import os
import re
import shutil
import subprocess
import tempfile

from . import nameserver
from .basics import wait_for
from .unbound import program

AUTHORITY = "192.0.2.253"       # where nsd listens
LAME = "192.0.2.252"            # and a server that fails, ns.lame.test.
SOA = "@ 3600 IN SOA ns.test. admin.test. 1 3600 600 86400 60"


NEEDED = ("nsd", "unbound", "ldns-keygen", "ldns-signzone", "drill")


def are_there():
    return all(os.access(program(name), os.X_OK) for name in NEEDED)


class Zone:
    """`records` are lines of a zone file; what `spoilt` names (an owner and a
    type) is changed after it was signed."""

    def __init__(self, name, records, is_signed=True, spoilt=()):
        self.name, self.records = name, records
        self.is_signed, self.spoilt = is_signed, spoilt
        self.ds = []

    def write(self, folder):
        """Its file, signed if it is to be."""
        path = os.path.join(folder, f"zone-{self.name or 'root'}")
        origin = f"{self.name}." if self.name else "."
        with open(path, "w", encoding="ascii") as f:
            f.write(f"$ORIGIN {origin}\n$TTL 60\n{SOA}\n@ NS ns.test.\n")
            f.writelines(f"{record}\n" for record in self.records)
        if not self.is_signed:
            return path
        key = subprocess.run(
            [program("ldns-keygen"), "-a", "ECDSAP256SHA256", "-k", origin],
            cwd=folder, check=True, capture_output=True,
            text=True).stdout.strip()
        with open(os.path.join(folder, f"{key}.ds"), encoding="ascii") as f:
            self.ds = [line.strip() for line in f if line.strip()]
        subprocess.run([program("ldns-signzone"), "-o", origin, "-n", path,
                        key], cwd=folder, check=True, capture_output=True)
        self.spoil(f"{path}.signed")
        return f"{path}.signed"

    def spoil(self, path):
        """The last hex digit or letter of the record is another one."""
        with open(path, encoding="ascii") as f:
            lines = f.read().splitlines()
        for owner, kind in self.spoilt:
            found = [i for i, line in enumerate(lines) if re.match(
                rf"{re.escape(owner)}\.\s+\d+\s+IN\s+{kind}\s", line)]
            assert found, f"no {kind} of {owner} in {path}"
            for i in found:
                line = lines[i].rstrip()
                lines[i] = line[:-1] + ("1" if line[-1] == "0" else "0")
        with open(path, "w", encoding="ascii") as f:
            f.writelines(f"{line}\n" for line in lines)


class SignedNames:
    """The root, with what is delegated to `zones`, and these."""

    def __init__(self, *zones):
        self.folder = tempfile.mkdtemp(prefix="mtad-signed.")
        os.chmod(self.folder, 0o755)
        self.processes = []
        self.lame = nameserver.NameServer(host=LAME, port=53)
        self.lame.lookup = lambda *_: nameserver.SERVFAIL
        paths = {zone.name: zone.write(self.folder) for zone in zones}
        root = Zone("", [f"ns.test. A {AUTHORITY}",
                         f"ns.lame.test. A {LAME}"] + [
            line for zone in zones
            for line in [f"{zone.name}. NS ns.test.", *zone.ds]])
        paths[""] = root.write(self.folder)
        self.write("anchor", "\n".join(root.ds))
        self.write("hints", f". 3600 NS ns.test.\nns.test. 3600 A "
                   f"{AUTHORITY}\n")
        try:
            self.start_nsd(paths)
            self.start_unbound()
        except BaseException:
            self.close()
            raise

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def start(self, name, *words):
        with open(os.path.join(self.folder, f"{name}.log"), "wb") as log:
            self.processes.append(subprocess.Popen(
                [program(name), *words], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log))

    def start_nsd(self, paths):
        zones = "".join(f'zone:\n name: "{name or "."}"\n zonefile: "{path}"\n'
                        for name, path in paths.items())
        self.start("nsd", "-d", "-c", self.write("nsd.conf", f"""
server:
    ip-address: {AUTHORITY}
    username: ""
    chroot: ""
    zonesdir: "{self.folder}"
    database: ""
    pidfile: ""
    xfrdfile: "{self.folder}/xfrd"
    xfrdir: "{self.folder}"
    zonelistfile: "{self.folder}/zones"
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
{zones}"""))
        wait_for("nsd listens", lambda: self.listens("FD0200C0"))

    def start_unbound(self):
        self.start("unbound", "-d", "-c", self.write("unbound.conf", f"""
server:
    interface: 127.0.0.1
    access-control: 127.0.0.0/8 allow
    directory: "{self.folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    num-threads: 1
    do-ip6: no
    root-hints: "{self.folder}/hints"
    trust-anchor-file: "{self.folder}/anchor"
    local-zone: "test." nodefault
    local-zone: "example." nodefault
    unknown-server-time-limit: 200
remote-control:
    control-enable: no
"""))
        wait_for("unbound listens", lambda: self.listens("0100007F"))

    def listens(self, address):
        for process in self.processes:
            assert process.poll() is None, self.logs()
        with open("/proc/net/udp", encoding="ascii") as f:
            return f" {address}:0035 " in f.read()

    def logs(self):
        text = ""
        for name in ("nsd", "unbound"):
            path = os.path.join(self.folder, f"{name}.log")
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return text

    @staticmethod
    def code(name, kind):
        """What the resolver answers: NOERROR, SERVFAIL ..."""
        text = subprocess.run(
            [program("drill"), "-D", name, "@127.0.0.1", kind],
            capture_output=True, text=True, check=False).stdout
        return re.search(r"rcode: (\w+)", text).group(1)

    def close(self):
        self.lame.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
