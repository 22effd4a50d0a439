"""One mtad in a temporary directory: started, asked, killed, stopped."""
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .basics import BIN, PATIENCE, SOURCE, free_ports, is_root, wait_for
from .client import Client

CHILDREN = ("smtpd", "queued", "deliverd", "keyd", "dnsd", "fetchd")
REPORTS = ("Sanitizer", "runtime error:", "assertion", "MUST(")


class Relay:
    """`keys` are top-level keys of the configuration; a dict is merged into
    the defaults below, anything else replaces them.

    By default only 127.0.0.1 may relay, and everybody may send to
    served.example; tests play strangers by other addresses of 127/8."""

    def __init__(self, next_hop=None, user=None, start=True, folder=None,
                 **keys):
        self.folder = folder or tempfile.mkdtemp(prefix="mtad-test.")
        self.is_own_folder = folder is None
        os.chmod(self.folder, 0o755)    # its processes have their own users
        self.user = user
        self.port = free_ports(1)[0]
        self.config_path = os.path.join(self.folder, "mtad.yaml")
        self.log_path = os.path.join(self.folder, "log")
        self.process = None
        self.kills = 0                  # of children, by the test
        self.config = self._defaults(next_hop)
        self.configure(**keys)
        if is_root():
            subprocess.run([os.path.join(SOURCE, "tools/make-users")],
                           check=True)
        if user:
            os.chown(self.folder, pwd.getpwnam(user).pw_uid, -1)
        if start:
            self.start()

    def _defaults(self, next_hop):
        via = f"smtp://127.0.0.1:{next_hop}" if next_hop else "mx"
        return {
            "hostname": "relay.example.org",
            "runtime": "run",
            "listeners": [{"address": f"127.0.0.1:{self.port}"}],
            "relay": {"networks": ["127.0.0.1/32"],
                      "domains": ["served.example"]},
            "routes": [{"to": "*", "via": via}],
            "queue": {"path": "spool", "first_retry": "1s",
                      "max_retry": "2s"},
            "dns": {"servers": ["127.0.0.1:1"]},
            # next hops that refuse all are what many tests are about
            "deliver": {"breaker": "none"},
            "log": {"level": "info"},
        }

    def configure(self, **keys):
        """Writes the file; a running relay does not notice by itself."""
        for key, value in keys.items():
            if value is None:
                self.config.pop(key, None)
            elif isinstance(value, dict):
                self.config[key] = {**self.config.get(key, {}), **value}
            else:
                self.config[key] = value
        # JSON after each key is YAML, and needs no care for quoting
        self.write("".join(f"{key}: {json.dumps(value)}\n"
                           for key, value in self.config.items()))

    def write(self, text):
        """Puts any text, right or wrong, where the configuration stands; at
        once: half a file may be a valid one with other routes."""
        scratch = f"{self.config_path}.new"
        with open(scratch, "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(scratch, self.config_path)

    # -- life ---------------------------------------------------------------
    def command(self, tool, *words):
        command = [os.path.join(BIN, tool), "-c", self.config_path, *words]
        if self.user:
            ids = pwd.getpwnam(self.user)
            command = ["setpriv", f"--reuid={ids.pw_uid}",
                       f"--regid={ids.pw_gid}", "--clear-groups", *command]
        return command

    def start(self, is_served=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command("mtad"), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, cwd="/")
        if is_served:
            try:
                wait_for("mtad greets", self._greets)
            except AssertionError as e:
                raise AssertionError(f"{e}\n{self.log_tail()}") from None

    def _greets(self):
        if self.process.poll() is not None:
            raise AssertionError(f"mtad ended with "
                                 f"{self.process.returncode} at its start")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                return s.recv(600).startswith(b"220 ")
        except OSError:
            return False

    def stop(self, seconds=PATIENCE):
        """SIGTERM; says what was wrong with the end, if anything."""
        if self.process is None:
            return
        pids = self.session()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(
                f"mtad did not stop\n{self.log_tail()}") from None
        self.process = None
        left = [pid for pid in pids if _lives(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert code == 0, f"mtad ended with {code}\n{self.log_tail()}"
        assert not left, f"processes left behind: {left}"
        self.check_log()

    def kill_all(self):
        """The end without grace, of the parent and all its children."""
        if self.process is None:
            return
        pids = self.session()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.kill()
        self.process.wait()
        for pid in pids:
            _lives(pid)         # until its sockets are closed
        self.process = None

    def remove(self):
        self.kill_all()
        if self.is_own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
            else:
                print(self.log_tail(), flush=True)
        finally:
            self.remove()

    # -- processes ----------------------------------------------------------
    def session(self):
        """Pids of everything that the started mtad has started."""
        pids = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8",
                          errors="replace") as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] != "Z":
                pids.append(int(name))
        return pids

    def pids(self, name=None):
        table = json.loads(self.ctl("status", "--json"))["pids"]
        return table if name is None else table.get(name, [])

    def kill(self, name, number=signal.SIGKILL):
        """Kills the first process of that name; its pid."""
        pid = self.process.pid if name == "mtad" else wait_for(
            f"{name} runs", lambda: self.pids(name))[0]
        self.kills += 1
        os.kill(pid, number)
        return pid

    # -- mtactl -------------------------------------------------------------
    def try_ctl(self, *words, seconds=PATIENCE):
        return subprocess.run(
            self.command("mtactl", *words), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=seconds, check=False)

    def ctl(self, *words):
        p = self.try_ctl(*words)
        if p.returncode != 0:
            raise AssertionError(f"mtactl {' '.join(words)}: "
                                 f"{p.returncode} {p.stderr}{p.stdout}")
        return p.stdout

    def count(self, selection="all"):
        return json.loads(self.ctl("queue", "count", selection,
                                   "--json"))["count"]

    def list(self, selection="all"):
        return [json.loads(line) for line in self.ctl(
            "queue", "list", selection, "--json").splitlines()]

    def retry(self, selection="all"):
        self.ctl("queue", "retry", selection)

    def wait_empty(self, seconds=PATIENCE):
        try:
            wait_for("the queue is empty", lambda: self.count() == 0,
                     seconds, 0.05)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.why_waiting()}") from None

    def why_waiting(self):
        """What the relay itself says of what is left in its queue."""
        ids = [row["id"] for row in self.list()][:3]
        return "\n".join([self.ctl("queue", "list"), *(
            self.try_ctl("message", "explain", i).stdout for i in ids),
            self.log_tail()])

    def wait_count(self, count, selection="all", seconds=PATIENCE):
        wait_for(f"{count} messages are {selection}",
                 lambda: self.count(selection) == count, seconds, 0.05)

    # -- log ----------------------------------------------------------------
    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def log_tail(self, lines=40):
        if not os.path.exists(self.log_path):
            return "(no log)"
        return "---- log\n" + "\n".join(self.log().splitlines()[-lines:])

    def check_log(self):
        """No sanitizer's report, no failed MUST(), no protocol defect between
        our own processes, no death but those the test caused."""
        lines = self.log().splitlines()
        died = [line for line in lines if " child_died " in line]
        assert len(died) <= self.kills, died
        for line in lines:
            if "peer=mtactl" in line:       # strangers may knock there
                continue
            for word in (*REPORTS, "peer_violation", "lease_broken"):
                assert word not in line, f"in the log: {line}"

    def wait_log(self, text, seconds=PATIENCE):
        wait_for(f"{text!r} is in the log", lambda: text in self.log(),
                 seconds)

    # -- mail ---------------------------------------------------------------
    def connect(self, source=None, **options):
        return Client(self.port, source=source, **options)

    def send(self, content=b"Subject: x\r\n\r\nbody\r\n",
             sender="from@sender.example", to="to@served.example", **options):
        """One message by one session; the queue id."""
        with self.connect(**options) as c:
            c.hello()
            return c.mail(sender, [to] if isinstance(to, str) else to,
                          content)

    def fate(self, queue_id, seconds=60):
        """Its history, once it was delivered, deferred or returned."""
        def told():
            text = self.try_ctl("message", "history", queue_id).stdout
            return text if any(f" {word}" in text for word in (
                "delivered", "deferred", "failed", "bounced")) else None
        return wait_for(f"a fate of {queue_id}", told, seconds)

    def memory_kib(self):
        """What all processes together have in memory for themselves."""
        total = 0
        for pid in self.session():
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                    for line in f:
                        if line.startswith("Private_"):
                            total += int(line.split()[1])
            except OSError:
                pass
        return total


def _lives(pid):
    for _ in range(50):         # the kernel may still be tidying up
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8",
                      errors="replace") as f:
                if f.read().rpartition(")")[2].split()[0] in "ZX":
                    return False
        except OSError:
            return False
        time.sleep(0.02)
    return True
