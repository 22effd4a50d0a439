"""mtactl spool backup: of a running relay and of a spool at rest; what a
backup is worth when files of it are missing or damaged."""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, load, relay, spool

SOUND, DAMAGED, USAGE, FAILED = 0, 1, 2, 4
HOUR = {"first_retry": "1h", "max_retry": "1h"}


class Backup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = relay.Relay(basics.free_ports(1)[0], queue=HOUR)
        cls.ids = spool.send_some(cls.relay)
        cls.kept = os.path.join(cls.relay.folder, "kept")
        cls.relay.ctl("spool", "backup", cls.kept)

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()

    def setUp(self):
        self.dir = os.path.join(self.relay.folder, "copy")
        shutil.rmtree(self.dir, ignore_errors=True)

    def copy(self):
        subprocess.run(["cp", "-a", self.kept, self.dir], check=True)

    def check(self, *words):
        return self.relay.try_ctl("spool", "check", self.dir, *words)

    def expect_damage(self, *words):
        p = self.check()
        self.assertEqual(p.returncode, DAMAGED, p.stdout + p.stderr)
        for word in words:
            self.assertIn(word, p.stdout)

    def test_while_it_runs(self):
        text = self.relay.ctl("spool", "backup", self.dir)
        self.assertTrue(text.endswith("sound\n"), text)
        for word in ("queue: 21 messages for 21 recipients; 1 bodies",
                     "backup of spool "):
            self.assertIn(word, text)
        self.assertIn("sound\n", self.relay.ctl("spool", "check", self.dir))
        self.assertNotIn("nothing is removed",
                         self.relay.ctl("spool", "stats"))

    def test_for_programs(self):
        before = json.loads(self.relay.ctl("spool", "stats", "--json"))
        got = json.loads(self.relay.ctl("spool", "backup", self.dir,
                                        "--json"))
        self.assertEqual((got["v"], got["verdict"], got["messages"],
                          got["recipients"], got["bodies"], got["found"]),
                         (1, "sound", 21, 21, 1, []))
        copy = got["copy"]
        self.assertEqual((copy["kind"], copy["is_complete"], copy["uuid"]),
                         ("backup", True, before["uuid"]))
        again = json.loads(self.check("--json").stdout)
        self.assertEqual(again["copy"], copy)

    def test_without_a_relay(self):
        """The spool at rest is copied by queued's own program."""
        self.relay.stop()
        try:
            text = self.relay.ctl("spool", "backup", self.dir)
            self.assertIn("queue: 21 messages", text)
            self.assertTrue(text.endswith("sound\n"), text)
            self.assertEqual(self.check().returncode, SOUND)
            p = self.relay.try_ctl("spool", "backup", self.dir)
            self.assertEqual(p.returncode, FAILED, p.stdout + p.stderr)
        finally:
            self.relay.start()

    def test_only_into_a_new_directory(self):
        os.mkdir(self.dir)
        with open(os.path.join(self.dir, "mine"), "w", encoding="ascii"):
            pass
        p = self.relay.try_ctl("spool", "backup", self.dir)
        self.assertEqual(p.returncode, FAILED, p.stdout)
        self.assertIn("is not empty", p.stderr)
        self.assertEqual(os.listdir(self.dir), ["mine"])
        p = self.relay.try_ctl("spool", "backup", "/nowhere/at/all")
        self.assertEqual(p.returncode, FAILED, p.stdout)
        self.assertEqual(self.relay.try_ctl("spool", "backup").returncode,
                         USAGE)

    def interrupted(self, with_signal):
        """A backup that may write no file as large as the body."""
        def limit():
            signal.signal(signal.SIGXFSZ, with_signal)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))

        return subprocess.run(
            self.relay.command("mtactl", "spool", "backup", self.dir),
            capture_output=True, text=True, check=False, preexec_fn=limit,
            timeout=basics.PATIENCE)

    def test_death_in_the_middle(self):
        """What it leaves is no backup, and the spool is not held."""
        p = self.interrupted(signal.SIG_DFL)
        self.assertEqual(p.returncode, -signal.SIGXFSZ, p.stderr)
        self.assertIn("backup.incomplete", os.listdir(self.dir))
        self.assertNotIn("backup", os.listdir(self.dir))
        self.expect_damage("not complete", "NOT COMPLETE", "DAMAGED")
        self.assertFalse(json.loads(self.check("--json").stdout)
                         ["copy"]["is_complete"])
        basics.wait_for("nothing is held", lambda: "nothing is removed"
                        not in self.relay.ctl("spool", "stats"))
        shutil.rmtree(self.dir)
        self.relay.ctl("spool", "backup", self.dir)

    def test_death_of_queued_in_the_middle(self):
        """Whenever it comes, the backup is whole or says that it is not."""
        for pause in (0.0, 0.02, 0.05):
            shutil.rmtree(self.dir, ignore_errors=True)
            p = subprocess.Popen(
                self.relay.command("mtactl", "spool", "backup", self.dir),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(pause)
            self.relay.kill("queued")
            words = p.communicate(timeout=basics.PATIENCE)[1]
            if p.returncode == SOUND:
                self.assertEqual(self.check().returncode, SOUND)
            else:
                self.assertIn(p.returncode, (3, FAILED), words)
                self.assertFalse(os.path.exists(os.path.join(
                    self.dir, "backup")))
            basics.wait_for("queued is back", lambda: self.relay.try_ctl(
                "queue", "count").returncode == 0)

    def test_a_disk_that_is_full(self):
        p = self.interrupted(signal.SIG_IGN)
        self.assertEqual(p.returncode, FAILED, p.stderr)
        self.assertIn("this is no backup", p.stderr)
        self.assertNotIn("backup", os.listdir(self.dir))
        self.assertEqual(self.check().returncode, DAMAGED)

    def test_files_that_are_missing(self):
        for kind in ("log", "body"):
            self.copy()
            path = spool.files_of(self.dir, kind)[-1]
            os.unlink(path)
            self.expect_damage(f"{kind}/{os.path.basename(path)} is missing")
            shutil.rmtree(self.dir)
        self.copy()
        os.unlink(os.path.join(self.dir, "spool"))
        self.expect_damage("file spool is missing")

    def test_files_that_are_short(self):
        self.copy()
        path = spool.files_of(self.dir, "log")[-1]
        os.truncate(path, os.path.getsize(path) - 4096)
        self.expect_damage("should have", "the log should end here")

    def test_bytes_that_are_wrong(self):
        self.copy()
        path = spool.files_of(self.dir, "log")[0]
        with open(path, "rb") as f:
            at = f.read().index(b"number 000007.") + 7
        spool.spoil(path, at, b"1")
        self.expect_damage(f"message {self.ids[7]}: its content is damaged",
                           "queue: 21 messages")
        spool.spoil(path, at, b"0")
        spool.spoil(spool.files_of(self.dir, "body")[0], 200000, b"#")
        self.expect_damage(f"message {self.ids[-1]}: its body in a file")

    def test_a_list_that_is_wrong(self):
        self.copy()
        spool.spoil(os.path.join(self.dir, "backup"), 60, b"#")
        self.expect_damage("file `backup' is damaged")

    def test_no_spool_to_start_on(self):
        """Its mail would be sent again."""
        self.copy()
        r = relay.Relay(basics.free_ports(1)[0], start=False)
        try:
            os.rename(self.dir, os.path.join(r.folder, "spool"))
            r.start(is_served=False)
            r.wait_log("mtactl spool restore")
            self.assertNotIn("index", os.listdir(
                os.path.join(r.folder, "spool")))
        finally:
            r.remove()


class Load(unittest.TestCase):
    def test_beside_mail(self):
        """Each is sound; mail comes and goes meanwhile, and files go after
        it."""
        with relay.Relay() as r:
            run = load.Load(r.folder)
            try:
                r.configure(routes=[{
                    "to": "*", "via": f"smtp://127.0.0.1:{run.port}"}])
                r.ctl("reload")
                run.start(r.port, 20, 20000)
                for n in range(5):
                    before = run.arrived()
                    p = r.try_ctl("spool", "backup",
                                  os.path.join(r.folder, f"b{n}"))
                    self.assertEqual(p.returncode, SOUND,
                                     p.stdout + p.stderr)
                    basics.wait_for("mail arrives",
                                    lambda: run.arrived() > before)
                run.finish()
                r.wait_empty()
                self.assertEqual(run.compare()["lost"], 0)
            finally:
                run.close()


if __name__ == "__main__":
    basics.main()
