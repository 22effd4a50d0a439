"""mtactl spool: figures and verification, of a running relay and of a spool
at rest, sound and damaged."""
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, load, relay, spool

SOUND, DAMAGED, USAGE, UNREACHED, NOT_CHECKED = 0, 1, 2, 3, 4
HOUR = {"first_retry": "1h", "max_retry": "1h"}


def segments(a_relay):
    log = os.path.join(a_relay.folder, "spool", "log")
    return [os.path.join(log, name) for name in sorted(os.listdir(log))
            if name.startswith("log.")]


class OnLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = relay.Relay(basics.free_ports(1)[0], queue=HOUR)
        cls.ids = spool.send_some(cls.relay)

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()

    def test_stats(self):
        text = self.relay.ctl("spool", "stats")
        for word in ("spool ", f"queue     {len(self.ids)} messages", "index ", "SEGMENT",
                     "written", "bodies    1 in files"):
            self.assertIn(word, text)
        got = json.loads(self.relay.ctl("spool", "stats", "--json"))
        self.assertEqual(got["v"], 1)
        self.assertEqual((got["messages"], got["bodies"], got["format"]),
                         (len(self.ids), 1, 1))
        self.assertEqual(len(got["uuid"]), 32)
        self.assertTrue(got["is_accepting"])
        self.assertEqual(sum(s["messages"] for s in got["segments"]),
                         len(self.ids))
        self.assertGreater(got["live_bytes"], 0)
        self.assertGreater(got["next_id"], max(self.ids))

    def test_check(self):
        text = self.relay.ctl("spool", "check")
        self.assertTrue(text.endswith("sound\n"), text)
        got = json.loads(self.relay.ctl("spool", "check", "--json"))
        self.assertEqual((got["v"], got["verdict"], got["damages"],
                          got["found"]), (1, "sound", 0, []))
        # also what came just before
        self.ids.append(self.relay.send(b"Subject: new\r\n\r\n"))
        text = self.relay.ctl("spool", "check")
        self.assertIn(f"of {len(self.ids)} messages", text)

    def test_a_damaged_message_is_named(self):
        """The relay lives on, and the next check is possible."""
        with open(segments(self.relay)[-1], "rb") as f:
            content = f.read()
        at = content.index(b"number 000007.") + 7
        spool.spoil(segments(self.relay)[-1], at, b"1")
        try:
            p = self.relay.try_ctl("spool", "check")
            self.assertEqual(p.returncode, DAMAGED, p.stderr)
            self.assertIn(f"message {self.ids[7]}: its content is damaged",
                          p.stdout)
            self.assertIn("DAMAGED: 1 finding\n", p.stdout)
            got = json.loads(self.relay.try_ctl("spool", "check", "--json")
                             .stdout)
            self.assertEqual(got["verdict"], "damaged")
            self.assertEqual(got["found"][0]["id"], self.ids[7])
        finally:
            spool.spoil(segments(self.relay)[-1], at, b"0")
        self.assertIn("sound", self.relay.ctl("spool", "check"))


class Load(unittest.TestCase):
    def test_checks_beside_mail_find_nothing(self):
        """Neither false alarms, nor files that are never removed."""
        with relay.Relay() as r:
            run = load.Load(r.folder)
            try:
                r.configure(routes=[{
                    "to": "*", "via": f"smtp://127.0.0.1:{run.port}"}])
                r.ctl("reload")
                run.start(r.port, 20, 20000)
                for _ in range(5):
                    p = r.try_ctl("spool", "check")
                    self.assertEqual(p.returncode, SOUND,
                                     p.stdout + p.stderr)
                    self.assertIn("sound\n", p.stdout)
                self.assertGreater(run.acked(), 20)
                run.finish()
                r.wait_empty()
                self.assertEqual(run.compare()["lost"], 0)
            finally:
                run.close()
            self.assertIn("sound\n", r.ctl("spool", "check"))


class OffLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = relay.Relay(basics.free_ports(1)[0], queue=HOUR)
        cls.ids = spool.send_some(cls.relay)
        cls.relay.stop()
        cls.spool = os.path.join(cls.relay.folder, "spool")
        cls.kept = os.path.join(cls.relay.folder, "kept")
        shutil.copytree(cls.spool, cls.kept)

    @classmethod
    def tearDownClass(cls):
        cls.relay.remove()

    def setUp(self):
        shutil.rmtree(self.spool)
        subprocess.run(["cp", "-a", self.kept, self.spool], check=True)

    def check(self, *words):
        return self.relay.try_ctl("spool", "check", *words)

    def expect(self, code, *words):
        p = self.check()
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        for word in words:
            self.assertIn(word, p.stdout)

    def test_sound(self):
        self.expect(SOUND, "sound\n", "21 messages", "1 bodies")
        self.assertEqual(json.loads(self.check("--json").stdout)["verdict"],
                         "sound")
        got = json.loads(self.relay.ctl("spool", "stats", "--json"))
        self.assertEqual((got["messages"], got["bodies"]), (21, 1))
        self.assertIn("SEGMENT", self.relay.ctl("spool", "stats"))

    def test_nothing_is_changed(self):
        before = subprocess.run(["sh", "-c", f"cd {self.spool} && find . -type"
                                 " f -print0 | sort -z | xargs -0 sha256sum"],
                                capture_output=True, check=True).stdout
        self.expect(SOUND)
        after = subprocess.run(["sh", "-c", f"cd {self.spool} && find . -type"
                                " f -print0 | sort -z | xargs -0 sha256sum"],
                               capture_output=True, check=True).stdout
        self.assertEqual(before, after)

    def test_body(self):
        body = os.path.join(self.spool, "body")
        path = os.path.join(body, os.listdir(body)[0])
        spool.spoil(path, 200000, b"#")
        self.expect(DAMAGED, f"message {self.ids[-1]}: its body in a file is "
                             "damaged")
        os.unlink(path)
        self.expect(DAMAGED, f"message {self.ids[-1]}: ")

    def test_index(self):
        path = os.path.join(self.spool, "index", "data.mdb")
        size = os.path.getsize(path)
        for page in range(2, size // 4096):
            spool.spoil(path, page * 4096 + 12, b"\xff\xff")
        self.expect(DAMAGED, "index: page ")
        os.truncate(path, size // 2)
        self.expect(DAMAGED, "index: page ")
        os.unlink(path)
        self.expect(SOUND, "there is no index")

    def test_identity(self):
        os.unlink(os.path.join(self.spool, "spool"))
        self.expect(DAMAGED, "file `spool'")

    def test_segment(self):
        os.unlink(segments(self.relay)[0])
        self.expect(DAMAGED, f"message {self.ids[0]}: ")

    def test_no_spool(self):
        shutil.rmtree(self.spool)
        os.mkdir(self.spool)
        out = os.path.join(self.relay.folder, "out")
        none = os.path.join(self.relay.folder, "none")
        for path, words in (
                (self.spool, ["check"]), (self.spool, ["stats"]),
                (self.spool, ["backup", out]), (self.spool, ["salvage", out]),
                ("/etc", ["check", "/etc"]), (none, ["check", none])):
            p = self.relay.try_ctl("spool", *words)
            self.assertEqual(p.returncode, NOT_CHECKED, p.stdout + p.stderr)
            # which one, and where to look
            self.assertIn(f"queued: {path}: ", p.stderr)
            self.assertIn("queue.path", p.stderr)
            self.assertFalse(os.path.exists(out))

    def test_nobody_serves_that_socket(self):
        for words in (["check"], ["backup", f"{self.spool}.out"]):
            p = self.relay.try_ctl("spool", *words, "--socket", "/nowhere")
            self.assertEqual(p.returncode, UNREACHED)
            self.assertIn("without --socket", p.stderr)

    def test_by_hand(self):
        queued = os.path.join(basics.BIN, "queued")
        p = subprocess.run([queued, "--spool", self.spool, "check"],
                           capture_output=True, text=True, check=False)
        self.assertEqual((p.returncode, p.stdout[-6:]), (SOUND, "sound\n"))
        for words in (["--spool", self.spool], ["check"],
                      ["--spool", self.spool, "chekc"],
                      ["--spool", self.spool, "check", "--jsno"]):
            p = subprocess.run([queued, *words], capture_output=True,
                               text=True, check=False)
            self.assertEqual(p.returncode, USAGE, p.stderr)


if __name__ == "__main__":
    unittest.main()
