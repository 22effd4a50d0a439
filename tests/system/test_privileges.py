"""What each process may do and what it holds: users, capabilities, root
directory, descriptors, environment (I-07)."""
import os
import pwd
import re
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

USERS = {"smtpd": "_mtad-smtpd", "queued": "_mtad-queue",
         "deliverd": "_mtad-deliver", "keyd": "_mtad-key",
         "dnsd": "_mtad-dns", "fetchd": "_mtad-fetch"}
# What a descriptor of each process may be, besides 0, 1 and the log as 2.
LOCK = r"/.*/run/mtad\.pid"
COMMON = ("socket:", "anon_inode:", LOCK)
MAY_HOLD = {"smtpd": (*COMMON, "/memfd:clients "),
            "queued": (*COMMON, r"/.*/spool(/|\Z)"),
            "deliverd": COMMON, "keyd": COMMON, "dnsd": COMMON,
            "fetchd": COMMON}


def facts(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(re.split(r":\s*", line.rstrip("\n"), maxsplit=1)
                    for line in f)


def descriptors(pid):
    """Number: (what it is, whether it can be written to)."""
    result = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as f:
            flags = int(re.search(r"flags:\s*(\d+)", f.read()).group(1), 8)
        result[int(name)] = (os.readlink(f"/proc/{pid}/fd/{name}"),
                             flags & os.O_ACCMODE != os.O_RDONLY)
    return result


@unittest.skipUnless(basics.is_root(), "needs root")
class Root(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["MTAD_TEST_SECRET"] = "of the administrator's shell"
        cls.stray = os.open("/etc/passwd", os.O_RDONLY)
        os.set_inheritable(cls.stray, True)
        cls.hop = nexthop.NextHop()
        cls.relay = relay.Relay(cls.hop.port)
        cls.relay.send()
        cls.relay.wait_empty()

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.hop.close()
        os.close(cls.stray)

    def processes(self):
        table = self.relay.pids()
        for name in USERS:
            self.assertTrue(table[name], name)
            for pid in table[name]:
                with self.subTest(name):
                    yield name, pid

    def test_names(self):
        for name, pid in self.processes():
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                self.assertEqual(f.read(), f"{name}\n")

    def test_only_delivery_is_patient(self):
        """It does not interrupt those that hold clients (SCHED_BATCH)."""
        for name, pid in self.processes():
            self.assertEqual(os.sched_getscheduler(pid) == os.SCHED_BATCH,
                             name == "deliverd", name)

    def test_users(self):
        uids = set()
        for name, pid in self.processes():
            user = pwd.getpwnam(USERS[name])
            f = facts(pid)
            self.assertEqual(f["Uid"].split(), [str(user.pw_uid)] * 4)
            self.assertEqual(f["Gid"].split(), [str(user.pw_gid)] * 4)
            self.assertEqual(f["Groups"].strip(), "")
            uids.add(user.pw_uid)
        self.assertEqual(len(uids), len(USERS))

    def test_no_privileges(self):
        for _, pid in self.processes():
            f = facts(pid)
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(f[kind], 16), 0, kind)
            self.assertEqual(f["NoNewPrivs"], "1")

    def test_root_directory(self):
        """Nothing is in it but, for queued, the spool; and nobody who is
        inside could make something there."""
        for name, pid in self.processes():
            root = f"/proc/{pid}/root/"
            if name == "queued":
                self.assertIn("spool", os.listdir(root))
                self.assertFalse(os.path.exists(root + "etc"))
                continue
            self.assertEqual(os.listdir(root), [])
            found = os.stat(root)
            self.assertEqual(found.st_uid, 0)
            self.assertEqual(stat.S_IMODE(found.st_mode) & 0o022, 0)
            self.assertEqual(os.stat(f"/proc/{pid}/cwd").st_ino,
                             found.st_ino)

    def test_descriptors(self):
        """Nothing inherited, nothing of another process."""
        for name, pid in self.processes():
            for number, (what, is_writable) in descriptors(pid).items():
                if number < 2:
                    self.assertEqual(what, "/dev/null")
                elif number == 2:
                    self.assertEqual(what, self.relay.log_path)
                else:
                    self.assertTrue(any(re.match(p, what)
                                        for p in MAY_HOLD[name]), what)
                    self.assertFalse(is_writable and re.match(LOCK, what),
                                     "could write the pid file")

    def test_parent_is_not_stray_either(self):
        held = [what for what, _ in
                descriptors(self.relay.process.pid).values()]
        self.assertNotIn("/etc/passwd", held)

    def test_environment(self):
        for _, pid in self.processes():
            with open(f"/proc/{pid}/environ", "rb") as f:
                self.assertNotIn(b"MTAD_TEST_SECRET", f.read())

    def test_memory_is_hidden(self):
        """No core file; and not even the same user may look."""
        if basics.IS_SANITIZED:
            self.skipTest("the leak checker has to look")
        for name, pid in self.processes():
            with open(f"/proc/{pid}/limits", encoding="ascii") as f:
                self.assertRegex(f.read(), r"Max core file size +0 +0 ")
            user = pwd.getpwnam(USERS[name])
            look = subprocess.run(
                ["setpriv", f"--reuid={user.pw_uid}",
                 f"--regid={user.pw_gid}", "--clear-groups", "head", "-c1",
                 f"/proc/{pid}/environ", f"/proc/{pid}/maps"],
                capture_output=True, check=False)
            self.assertEqual(look.stdout, b"")
            self.assertIn(b"Permission denied", look.stderr)

    def test_files(self):
        """Nobody but their owners can read what lies on disk."""
        for path, _, names in os.walk(os.path.join(self.relay.folder,
                                                   "spool")):
            for name in ("", *names):
                mode = os.stat(os.path.join(path, name)).st_mode
                self.assertEqual(mode & 0o077, 0, os.path.join(path, name))


class Ordinary(unittest.TestCase):
    @unittest.skipUnless(basics.is_root(), "needs root")
    def test_ordinary_user(self):
        """A whole instance as nobody: mail flows, mtactl works, the log says
        once that the processes share one user."""
        with nexthop.NextHop() as hop, relay.Relay(hop.port,
                                                   user="nobody") as r:
            r.send()
            r.wait_empty()
            self.assertEqual(r.log().count(" unconfined "), 1)
            for name in USERS:
                f = facts(r.pids(name)[0])
                self.assertEqual(f["NoNewPrivs"], "1")
                self.assertEqual(int(f["CapEff"], 16), 0)
            r.kill("queued")
            r.send()
            r.wait_empty()
            self.assertEqual(len(hop.messages), 2)


if __name__ == "__main__":
    basics.main()
