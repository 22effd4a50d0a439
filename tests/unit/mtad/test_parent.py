"""The parent with children that only tell what they were handed: starting,
joining, restarting, reloading, draining, refusing."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../.."))
from support.basics import IS_SANITIZED, PATIENCE, free_ports, wait_for

BIN = os.environ.get("MTAD_BIN", "build/dev/bin")
CHILDREN = ("smtpd", "queued", "deliverd", "keyd", "dnsd", "fetchd")
NOBODY = 65534


def ask(address, word):
    """One line to a fake child, and its answer, up to a final dot or line."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(PATIENCE)
        s.connect(address)
        s.sendall(word.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n" if word == "who" else b".\n"):
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
    return answer.decode()


class Instance:
    """A parent in a directory of its own."""

    def __init__(self, test, as_root=False, hostname="mx.example.org",
                 workers=1):
        self.as_root = as_root and os.geteuid() == 0
        self.dir = tempfile.mkdtemp(prefix="mtad-parent-")
        test.addCleanup(self.clean)
        self.port = free_ports(1)[0]
        self.config = os.path.join(self.dir, "mtad.yaml")
        self.log = os.path.join(self.dir, "log")
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin)
        shutil.copy(os.path.join(BIN, "mtad"), self.bin)
        fake = os.path.join(BIN, "..", "tests", "fake_child")
        for name in CHILDREN:
            shutil.copy(fake, os.path.join(self.bin, name))
        self.workers = workers
        self.configure(hostname)
        os.chmod(self.dir, 0o755)
        if not self.as_root and os.geteuid() == 0:
            for folder, _, files in os.walk(self.dir):
                for name in [folder] + [os.path.join(folder, f)
                                        for f in files]:
                    os.chown(name, NOBODY, NOBODY)
        self.process = None

    def configure(self, hostname="mx.example.org", ports=None, more=""):
        ports = ports or [self.port]
        listeners = ", ".join('{address: "127.0.0.1:%d"}' % p for p in ports)
        with open(self.config, "w") as f:
            f.write(f"hostname: {hostname}\nruntime: run\n"
                    f"queue: {{path: spool}}\n"
                    f"workers: {{smtpd: {self.workers}, deliverd: 1}}\n"
                    f"log: {{level: debug}}\n"
                    f"listeners: [{listeners}]\n{more}\n")

    def demote(self):
        if not self.as_root and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    def run(self, *args, timeout=PATIENCE):
        return subprocess.run(
            [os.path.join(self.bin, "mtad"), "-c", self.config, *args],
            capture_output=True, text=True, timeout=timeout,
            preexec_fn=self.demote, stdin=subprocess.DEVNULL)

    def start(self, is_awaited=True):
        before = self.text().count("started\n")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.bin, "mtad"), "-c", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=self.demote)
        if is_awaited:
            wait_for("start: " + self.text(),
                     lambda: re.search(r"mtad\[%d\] started\n"
                                       % self.process.pid, self.text()))
        return self

    def text(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log) as f:
            return f.read()

    def who(self, port=None):
        """What smtpd says of itself."""
        answer = ask(("127.0.0.1", port or self.port), "who")
        return dict(word.split("=", 1) for word in answer.split())

    def control(self):
        return os.path.join(self.dir, "run", "control.sock")

    def children(self):
        """{name: [pids]} as the parent told queued."""
        found = {}
        for line in ask(self.control(), "processes").splitlines():
            words = line.split()
            if len(words) == 4:
                found.setdefault(words[0], []).append(int(words[2]))
        return found

    def all_there(self):
        try:
            found = self.children()
        except OSError:
            return None
        if sorted(found) == sorted(CHILDREN + ("mtad",)):
            return found
        return None

    def stop(self, seconds=PATIENCE):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def clean(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        # orphans end by themselves
        lock = os.path.join(self.dir, "run", "mtad.pid")
        wait_for("the end of all children",
                 lambda: not os.path.exists(lock) or subprocess.run(
                     ["flock", "-n", lock, "true"]).returncode == 0)
        shutil.rmtree(self.dir)


def comm(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def status(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return re.search(r"^%s:[ \t]*(.*)$" % key, f.read(), re.M).group(1)


def open_files(pid):
    """What its descriptors are; one may be closed meanwhile."""
    files = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            files.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return files


def is_alive(pid):
    """A zombie is waited for by somebody else."""
    try:
        return not status(pid, "State").startswith("Z")
    except FileNotFoundError:
        return False


class Starting(unittest.TestCase):
    def test_everything_is_handed_over(self):
        i = Instance(self, workers=2).start()
        found = wait_for("children", i.all_there)
        self.assertEqual({k: len(v) for k, v in found.items()},
                         {"mtad": 1, "smtpd": 2, "queued": 1, "deliverd": 1,
                          "keyd": 1, "dnsd": 1, "fetchd": 1})
        for name, pids in found.items():
            for pid in pids:
                self.assertEqual(comm(pid), name)
        who = i.who()
        self.assertEqual(who["workers"], "2")
        self.assertEqual(who["peers"], "3")
        self.assertEqual(who["host"], "mx.example.org")
        self.assertEqual(who["clients"], "1")
        self.assertIn(int(who["pid"]), found["smtpd"])
        self.assertEqual(i.stop(), 0)
        for pids in found.values():
            for pid in pids:
                self.assertFalse(is_alive(pid), pid)

    def test_without_root_one_line_says_so(self):
        i = Instance(self).start()
        self.assertEqual(i.text().count(" unconfined "), 1)
        self.assertEqual(os.stat(i.control()).st_mode & 0o777, 0o600)
        self.assertEqual(i.stop(), 0)

    # T50: nothing is inherited but what was chosen
    def test_children_inherit_nothing(self):
        os.environ["LD_MTAD_TEST"] = "1"
        i = Instance(self).start()
        for name, pids in wait_for("children", i.all_there).items():
            if name == "mtad":
                continue
            regular = [f for f in open_files(pids[0]) if f.startswith("/")
                       and f != "/dev/null" and f != i.log]
            # the lock it holds for us, and a sanitizer's report
            self.assertEqual([f for f in regular if "report" not in f],
                             [os.path.join(i.dir, "run", "mtad.pid")])
            with open(f"/proc/{pids[0]}/environ", "rb") as f:
                self.assertNotIn(b"LD_MTAD_TEST", f.read())
            self.assertEqual(status(pids[0], "NoNewPrivs"), "1")
        self.assertEqual(i.stop(), 0)

    # I-07: no user in common with the spool, and no file in sight
    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_as_root_each_has_its_own_user_and_an_empty_root(self):
        i = Instance(self, as_root=True)
        missing = [l for l in i.run("-t").stderr.splitlines() if
                   "is missing" in l]
        if missing:
            self.skipTest(missing[0])
        i.start()
        found = wait_for("children", i.all_there)
        uids = set()
        for name in CHILDREN:
            pid = found[name][0]
            uid = status(pid, "Uid").split()
            self.assertEqual(len(set(uid)), 1)
            uids.add(uid[0])
            self.assertEqual(status(pid, "Groups").strip(), "")
            self.assertEqual(int(status(pid, "CapEff"), 16), 0)
            self.assertEqual(int(status(pid, "CapPrm"), 16), 0)
            self.assertEqual(int(status(pid, "CapBnd"), 16), 0)
            self.assertEqual(os.readlink(f"/proc/{pid}/root"), os.path.join(
                i.dir, "spool" if name == "queued" else "run/empty"))
        self.assertEqual(len(uids), len(CHILDREN))
        self.assertNotIn("0", uids)
        self.assertEqual(os.stat(i.control()).st_mode & 0o777, 0o660)
        self.assertEqual(os.stat(i.dir + "/spool").st_mode & 0o777, 0o700)
        self.assertNotIn("unconfined", i.text())
        self.assertEqual(i.stop(), 0)

    def test_directories_made_by_hand_are_closed(self):
        for as_root in (False, True):
            i = Instance(self, as_root=as_root)
            for name in ("run", "spool"):
                os.mkdir(os.path.join(i.dir, name))
                os.chmod(os.path.join(i.dir, name), 0o777)
                if not as_root and os.geteuid() == 0:
                    os.chown(os.path.join(i.dir, name), NOBODY, NOBODY)
            i.start()
            self.assertEqual(os.stat(i.dir + "/run").st_mode & 0o777, 0o755)
            self.assertEqual(os.stat(i.dir + "/spool").st_mode & 0o777, 0o700)
            self.assertEqual(i.stop(), 0)

    # T46: what belongs to others, or leads elsewhere, is refused
    def test_foreign_directories_are_refused(self):
        for name in ("run", "spool"):
            i = Instance(self)
            real = os.path.join(i.dir, "real")
            os.mkdir(real)
            if os.geteuid() == 0:
                os.chown(real, NOBODY, NOBODY)
            os.symlink(real, os.path.join(i.dir, name))
            r = i.run()
            self.assertEqual(r.returncode, 1)
            self.assertIn(name, r.stderr)
        if os.geteuid() == 0:
            i = Instance(self)
            os.mkdir(os.path.join(i.dir, "spool"), 0o700)
            r = i.run()
            self.assertEqual(r.returncode, 1)
            self.assertIn("spool", r.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def run_with_users(self, lines, *args):
        """mtad -c FILE where /etc/passwd has these lines only."""
        i = Instance(self, as_root=True)
        passwd = os.path.join(i.dir, "passwd")
        with open(passwd, "w") as f:
            f.write("root:x:0:0::/:/bin/sh\n" + "".join(lines))
        r = subprocess.run(
            ["unshare", "-m", "sh", "-c",
             f"mount --bind {passwd} /etc/passwd && exec {i.bin}/mtad "
             f"-c {i.config} " + " ".join(args)], capture_output=True,
            text=True, timeout=PATIENCE)
        if "useradd" not in r.stderr and "unshare" in r.stderr:
            self.skipTest(r.stderr)
        return r

    def test_missing_users_are_named_with_the_command(self):
        r = self.run_with_users([])
        self.assertEqual(r.returncode, 1)
        for name in ("smtpd", "queue", "deliver", "dns", "fetch"):
            self.assertRegex(r.stderr, r"useradd --system .* _mtad-" + name)

    def test_the_user_of_fetchd_may_be_missing(self):
        """It came later than the others; that of dnsd takes its place."""
        older = [f"_mtad-{name}:x:{950 + n}:{950 + n}::/:/bin/false\n"
                 for n, name in enumerate(("smtpd", "queue", "deliver", "key",
                                           "dns"))]
        r = self.run_with_users(older, "-t")
        self.assertEqual(len(re.findall("_mtad-", r.stderr)), 3, r.stderr)
        self.assertRegex(r.stderr, "^warning: user _mtad-fetch is missing, so "
                         "fetchd runs as _mtad-dns; make it with: useradd")

    def test_a_child_that_cannot_begin_ends_the_start(self):
        for name in CHILDREN:
            i = Instance(self, hostname=f"fail-{name}.example.org")
            i.start(is_awaited=False)
            self.assertEqual(i.process.wait(PATIENCE), 1)
            self.assertIn(f"{name}[", i.text())
            self.assertIn('failed level=error why="told to fail"', i.text())

    def test_start_is_quick(self):
        if IS_SANITIZED:
            self.skipTest("sanitized")
        i = Instance(self)
        times = []
        for _ in range(3):
            begin = time.monotonic()
            i.start()
            times.append(time.monotonic() - begin)
            self.assertEqual(i.stop(), 0)
        self.assertLess(min(times), 0.3)


class Refusing(unittest.TestCase):
    def test_a_second_instance(self):
        i = Instance(self).start()
        r = i.run()
        self.assertEqual(r.returncode, 1)
        self.assertIn(f"mtad runs already (pid {i.process.pid}", r.stderr)
        self.assertEqual(i.who()["peers"], "3")
        self.assertEqual(i.run("-t").returncode, 0, "our own ports")
        self.assertEqual(i.stop(), 0)

    def test_a_port_in_use(self):
        i = Instance(self)
        with socket.socket() as s:
            s.bind(("127.0.0.1", i.port))
            s.listen()
            r = i.run()
        self.assertEqual(r.returncode, 1)
        self.assertIn(f"127.0.0.1:{i.port}: Address already in use",
                      r.stderr)

    def test_check(self):
        i = Instance(self)
        r = i.run("-t")
        self.assertEqual((r.returncode, r.stdout),
                         (0, "configuration is valid\n"))
        with open(i.config, "a") as f:
            f.write("listner: []\nquuee: {}\n")
        r = i.run("-t")
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertIn("'listner'", r.stderr)
        self.assertIn("'quuee'", r.stderr)
        r = i.run()
        self.assertEqual(r.returncode, 1)
        self.assertFalse(os.path.exists(i.control()))

    def test_usage(self):
        i = Instance(self)
        self.assertEqual(i.run("-x").returncode, 2)
        self.assertEqual(i.run("extra").returncode, 2)
        self.assertEqual(i.run("--help").returncode, 0)
        self.assertRegex(i.run("-V").stdout, r"^mtad [0-9]")
        os.unlink(i.config)
        self.assertEqual(i.run("-t").returncode, 1)

    def test_a_missing_program(self):
        i = Instance(self)
        os.unlink(os.path.join(i.bin, "dnsd"))
        r = i.run()
        self.assertEqual(r.returncode, 1)
        self.assertIn("bin/dnsd", r.stderr)

    def test_a_child_by_hand(self):
        i = Instance(self)
        r = subprocess.run([os.path.join(i.bin, "smtpd")],
                           capture_output=True, text=True, close_fds=True,
                           timeout=PATIENCE)
        self.assertEqual(r.returncode, 2)
        self.assertIn("started by mtad", r.stderr)


class Wanted(unittest.TestCase):
    """fetchd is there where some policy may need it, and only there."""

    def run_with(self, tls, to="*"):
        i = Instance(self)
        i.configure(more=f'routes: [{{to: "{to}", via: mx, tls: {tls}}}]')
        i.start()
        return i, wait_for("children", lambda: self.of(i))

    @staticmethod
    def of(i):
        try:
            found = i.children()
        except OSError:
            return None
        return found if len(found) >= len(CHILDREN) else None

    def test_by_policy(self):
        for tls, to, is_there in (
                ("none", "*", False), ("verified", "*", False),
                ("opportunistic", "*", False),
                ("opportunistic-dane-sts", "*", True),
                ("none", "one.example", True)):
            with self.subTest(tls=tls, to=to):
                i, found = self.run_with(tls, to)
                self.assertEqual("fetchd" in found, is_there)
                self.assertEqual(i.stop(), 0)

    def test_after_a_reload(self):
        i, found = self.run_with("none")
        self.assertNotIn("fetchd", found)
        i.configure()
        i.process.send_signal(signal.SIGHUP)
        first = wait_for("fetchd", i.all_there)["fetchd"]
        i.configure(more='routes: [{to: "*", via: mx, tls: none}]')
        i.process.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: i.text().count(" reloaded ") == 2)
        # it stays, but does not come again
        self.assertEqual(i.children()["fetchd"], first)
        os.kill(first[0], signal.SIGKILL)
        wait_for("its end", lambda: "fetchd" not in i.children())
        self.assertEqual(i.stop(), 0)


class Restarting(unittest.TestCase):
    # T35: any of them killed comes back and is joined with the others
    def test_each_child(self):
        i = Instance(self).start()
        for name in CHILDREN:
            before = wait_for("children", i.all_there)
            os.kill(before[name][0], signal.SIGKILL)

            def is_new():
                now = i.all_there()
                return now and now[name] != before[name]
            wait_for(f"a new {name}", is_new, 5)
            wait_for("peers", lambda: i.who()["peers"] == "3", 5)
            self.assertRegex(i.text(), r"child_died level=error child=%s "
                             r"index=0 pid=%d signal=KILL next_start_in="
                             % (name, before[name][0]))
        self.assertEqual(i.stop(), 0)

    def test_again_and_again_is_slowed_down(self):
        i = Instance(self).start()
        for _ in range(4):
            pid = wait_for("children", i.all_there)["dnsd"][0]
            os.kill(pid, signal.SIGKILL)
            wait_for("its successor", lambda: (
                i.all_there() or {"dnsd": [pid]})["dnsd"] != [pid])
        waits = re.findall(r"child=dnsd .*next_start_in=(\S+)", i.text())
        self.assertEqual(waits, ["0.000s", "0.100s", "0.200s", "0.400s"])
        self.assertEqual(i.stop(), 0)

    # I-05, T42: who talks nonsense is cut off, and gets another chance
    def test_a_sibling_that_lies_is_cut_off_and_joined_again(self):
        i = Instance(self).start()
        wait_for("peers", lambda: i.who()["peers"] == "3")
        before = wait_for("children", i.all_there)
        with socket.create_connection(("127.0.0.1", i.port)) as s:
            s.sendall(b"lie\n")
            wait_for("the cut", lambda: "peer_violation" in i.text())
        wait_for("peers", lambda: i.who()["peers"] == "3")
        wait_for("same processes", lambda: i.all_there() == before)
        self.assertEqual(i.stop(), 0)

    def test_a_killed_parent_is_replaced(self):
        i = Instance(self).start()
        before = wait_for("children", i.all_there)
        for _ in range(3):
            i.process.kill()
            i.process.wait()
            i.start()
            wait_for("peers", lambda: i.who()["peers"] == "3")
        after = wait_for("children", i.all_there)
        self.assertNotEqual(before["queued"], after["queued"])
        self.assertEqual(i.stop(), 0)
        for pids in before.values():
            for pid in pids:
                self.assertFalse(is_alive(pid), pid)


class Reloading(unittest.TestCase):
    def test_takes_over_settings_and_ports(self):
        i = Instance(self).start()
        before = wait_for("children", i.all_there)
        other = free_ports(1)[0]
        i.configure("new.example.org", [other, i.port])
        i.process.send_signal(signal.SIGHUP)
        wait_for("the new port", lambda: f":{other}\n" in i.text())
        wait_for("the reload", lambda: " reloaded " in i.text())
        self.assertEqual(i.who(other)["host"], "new.example.org")
        self.assertEqual(i.who()["generation"], i.who(other)["generation"])
        i.configure("new.example.org", [other])
        self.assertEqual(ask(i.control(), "reload"), "1 .\n")
        with self.assertRaises(OSError):
            i.who()
        self.assertEqual(i.who(other)["peers"], "3")
        self.assertEqual(i.all_there(), before)
        self.assertEqual(i.stop(), 0)

    def test_an_error_keeps_the_old_one(self):
        i = Instance(self).start()
        wait_for("children", i.all_there)
        i.configure("new.example.org", more="listner: []")
        answer = ask(i.control(), "reload")
        self.assertRegex(answer, r"^0 ")
        self.assertIn("'listner'", answer)
        # the answer leaves first, the log at the end of the turn
        wait_for("the log", lambda: "reload_refused level=error line=" in
                 i.text())
        self.assertEqual(i.who()["host"], "mx.example.org")
        # a port that is taken is an error, too
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            i.configure("new.example.org", [s.getsockname()[1]])
            self.assertIn("in use", ask(i.control(), "reload"))
        self.assertEqual(i.who()["host"], "mx.example.org")
        # what needs a new start is said, and stays as it is
        i.workers = 3
        i.configure("new.example.org")
        self.assertIn("takes effect at the next start",
                      ask(i.control(), "reload"))
        self.assertEqual(i.who()["workers"], "1")
        self.assertEqual(i.who()["host"], "new.example.org")
        os.kill(int(i.who()["pid"]), signal.SIGKILL)
        wait_for("smtpd", lambda: i.all_there())
        self.assertEqual(i.who()["workers"], "1")
        self.assertEqual(i.stop(), 0)

    def test_many_at_once(self):
        i = Instance(self).start()
        for n in range(30):
            i.configure(f"n{n}.example.org")
            i.process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        wait_for("the last one",
                 lambda: i.who()["host"] == "n29.example.org")
        self.assertEqual(i.stop(), 0)

    def test_the_log_file_is_opened_again(self):
        i = Instance(self)
        path = os.path.join(i.dir, "mtad.log")
        with open(i.config) as f:
            text = f.read()
        with open(i.config, "w") as f:
            f.write(text.replace("{level: debug}",
                                 "{level: debug, file: mtad.log}"))
        i.start(is_awaited=False)

        def lines(name):
            try:
                with open(name) as f:
                    return f.read()
            except FileNotFoundError:
                return ""
        wait_for("start", lambda: "mtad[%d] started" % i.process.pid in
                 lines(path))
        self.assertIn("smtpd[", lines(path))
        os.rename(path, path + ".1")
        i.process.send_signal(signal.SIGUSR1)
        wait_for("the new file", lambda: "log_reopened" in lines(path))
        self.assertEqual(i.stop(), 0)
        for name in CHILDREN + ("mtad",):
            self.assertIn(f"{name}[", lines(path))
            self.assertRegex(lines(path), rf"{name}\[\d+\] stopped\n")


class Stopping(unittest.TestCase):
    def test_in_order(self):
        i = Instance(self).start()
        self.assertEqual(i.stop(), 0)
        stopped = re.findall(r"(\w+)\[\d+\] stopped\n", i.text())
        self.assertEqual(stopped,
                         ["smtpd", "deliverd", "queued", "fetchd", "dnsd",
                          "keyd", "mtad"])
        self.assertNotIn("child_died", i.text())
        self.assertFalse(os.path.exists(i.control()))

    def test_interrupt_of_the_whole_group(self):
        i = Instance(self).start()
        found = wait_for("children", i.all_there)
        for pids in found.values():
            for pid in pids:
                os.kill(pid, signal.SIGINT)
        self.assertEqual(i.process.wait(PATIENCE), 0)
        self.assertNotIn("child_died", i.text())

    def test_a_child_that_does_not_answer_is_killed(self):
        i = Instance(self).start()
        pid = wait_for("children", i.all_there)["deliverd"][0]
        os.kill(pid, signal.SIGSTOP)
        i.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        i.process.send_signal(signal.SIGTERM)
        self.assertEqual(i.process.wait(PATIENCE), 0)
        self.assertIn("child_killed", i.text())


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
