"""mtactl spool salvage: bad sectors, wrong bytes, missing files; what can be
saved becomes a spool again, and what can't is named."""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, crowd, faults, load, nexthop, relay, spool, volume

DONE, DAMAGED, USAGE, FAILED = 0, 1, 2, 4
HOUR = {"first_retry": "1h", "max_retry": "1h"}
LATER = b"450 4.2.0 not now\r\n"
SMALL = 8                       # messages in each of two segments


def bad_sector():
    """The library's path; made when it is not there or old."""
    source = os.path.join(basics.SOURCE, "tests/support/badsector.c")
    binary = os.path.join(load.CACHE, "badsector.so")
    if not os.path.exists(binary) or \
            os.path.getmtime(binary) < os.path.getmtime(source):
        os.makedirs(load.CACHE, exist_ok=True)
        scratch = f"{binary}.{os.getpid()}"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared",
                        "-o", scratch, source], check=True)
        os.rename(scratch, binary)
    return binary


class Salvage(unittest.TestCase):
    """A spool at rest with two segments and a large body, sound at first."""

    @classmethod
    def setUpClass(cls):
        cls.takes = set()
        cls.hop = nexthop.NextHop(RCPT=lambda line, _: None if nexthop.path(
            line).split("@")[0] in cls.takes else LATER)
        cls.relay = relay.Relay(cls.hop.port, queue=HOUR)
        cls.spool = os.path.join(cls.relay.folder, "spool")
        cls.ids = {}
        for i in range(2 * SMALL):
            if i == SMALL:
                cls.relay.wait_count(SMALL, "tries>=1")
                cls.relay.stop()
                cls.relay.start()
            cls.ids[f"u{i}"] = cls.relay.send(
                b"Subject: x\r\n\r\nnumber %06d.\r\n%s" % (
                    i, (b"z" * 70 + b"\r\n") * 200), to=f"u{i}@served.example")
        cls.ids["large"] = cls.relay.send(
            b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 9000,
            to="large@served.example")
        cls.relay.wait_count(2 * SMALL + 1, "tries>=1")
        cls.relay.stop()
        cls.kept = os.path.join(cls.relay.folder, "kept")
        subprocess.run(["cp", "-a", cls.spool, cls.kept], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.relay.remove()
        cls.hop.close()

    def setUp(self):
        self.takes.clear()
        self.hop.messages.clear()
        self.saved = os.path.join(self.relay.folder, "saved")
        for name in os.listdir(self.relay.folder):
            if name == "saved" or name.startswith("spool"):
                shutil.rmtree(os.path.join(self.relay.folder, name))
        subprocess.run(["cp", "-a", self.kept, self.spool], check=True)

    def file(self, kind, row):
        folder = os.path.join(self.spool, kind)
        names = sorted(n for n in os.listdir(folder)
                       if not n.startswith("spare"))
        return os.path.join(folder, names[row])

    def place(self, number, row=0):
        """Of the words of a message in a segment."""
        with open(self.file("log", row), "rb") as f:
            return f.read().index(b"number %06d." % number)

    def salvage(self, *words, code, env=None):
        p = subprocess.run(
            self.relay.command("mtactl", "spool", "salvage", self.saved,
                               "--json", *words),
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, **(env or {})})
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        self.assertNotIn("scratch", os.listdir(self.saved))
        return json.loads(p.stdout)

    def expect(self, got, *lost):
        """Those are lost; all others come out of the restored spool, once."""
        names = {self.ids[name]: name for name in self.ids}
        self.assertEqual({names[row["id"]] for row in got["not_saved"]},
                         set(lost), got)
        self.assertEqual(got["messages"], len(self.ids) - len(lost), got)
        restored = json.loads(self.relay.try_ctl(
            "spool", "restore", self.saved, "--set-aside", "--json").stdout)
        self.assertEqual((restored["held"], restored["is_known"]), (0, True),
                         restored)
        self.takes.update(self.ids)
        self.relay.start()
        self.relay.retry("all")
        basics.wait_for("all else arrives", lambda: len(
            self.hop.messages) >= len(self.ids) - len(lost))
        self.relay.stop()
        self.assertEqual(
            sorted(m.recipients[0].split("@")[0] for m in self.hop.messages),
            sorted(set(self.ids) - set(lost)))

    def test_nothing_is_wrong(self):
        before = sorted(os.listdir(os.path.join(self.spool, "log")))
        got = self.salvage("--mail", code=DONE)
        self.assertEqual((got["verdict"], got["unreadable_bytes"]),
                         ("saved", 0))
        self.assertEqual(before, sorted(os.listdir(
            os.path.join(self.spool, "log"))))
        mail = os.path.join(self.saved, "mail")
        self.assertEqual(len(os.listdir(mail)), 2 * len(self.ids))
        with open(os.path.join(mail, f"{self.ids['u3']}.json"),
                  encoding="utf-8") as f:
            envelope = json.load(f)
        self.assertEqual((envelope["id"], envelope["from"],
                          envelope["recipients"]),
                         (self.ids["u3"], "from@sender.example",
                          ["u3@served.example"]))
        with open(os.path.join(mail, f"{self.ids['u3']}.eml"), "rb") as f:
            content = f.read()
        self.assertTrue(content.startswith(b"Received: "))
        self.assertIn(b"\r\n\r\nnumber 000003.\r\n", content)
        self.assertEqual(os.path.getsize(os.path.join(
            mail, f"{self.ids['large']}.eml")) > 700000, True)
        self.expect(got)

    def test_a_wrong_byte(self):
        with open(self.file("log", 0), "r+b") as f:
            f.seek(self.place(3) + 8)
            f.write(b"9")
        got = self.salvage("--mail", code=DAMAGED)
        self.assertNotIn(f"{self.ids['u3']}.eml", os.listdir(
            os.path.join(self.saved, "mail")))
        row = got["not_saved"][0]
        self.assertEqual((row["from"], row["to"], row["why"]), (
            "from@sender.example", "u3@served.example",
            "its content is damaged"))
        self.expect(got, "u3")

    def test_a_segment_that_is_gone(self):
        os.unlink(self.file("log", 0))
        got = self.salvage(code=DAMAGED)
        self.assertIn("no record of it", got["not_saved"][0]["why"])
        self.expect(got, *(f"u{i}" for i in range(SMALL)))

    def test_a_segment_without_its_begin(self):
        for row in (0, 1):
            with open(self.file("log", row), "r+b") as f:
                f.write(bytes(4096))
        got = self.salvage(code=DAMAGED)
        self.expect(got)

    def test_a_body_that_is_gone(self):
        os.unlink(self.file("body", 0))
        self.expect(self.salvage(code=DAMAGED), "large")

    def test_a_body_whose_sums_are_wrong(self):
        """All of its bytes prove a table that was made anew."""
        with open(self.file("body", 0), "r+b") as f:
            f.seek(-40, os.SEEK_END)
            f.write(b"\xff\xff")
        got = self.salvage("--mail", code=DAMAGED)
        self.assertEqual(got["not_saved"], [])
        self.assertIn("no byte of it is", json.dumps(got))
        with open(os.path.join(self.saved, "mail",
                               f"{self.ids['large']}.eml"), "rb") as f:
            self.assertEqual(f.read().split(b"\r\n\r\n", 1)[1],
                             (b"y" * 76 + b"\r\n") * 9000)

    def test_a_body_with_a_wrong_byte(self):
        with open(self.file("body", 0), "r+b") as f:
            f.seek(300000)
            f.write(b"\xff")
        got = self.salvage("--mail", code=DAMAGED)
        self.assertIn("bytes from 0 on", json.dumps(got))
        self.assertEqual([row["id"] for row in got["not_saved"]],
                         [self.ids["large"]])

    def test_a_large_one_is_held(self):
        """What is seen when a part of it has left is not tried again."""
        with open(self.file("body", 0), "r+b") as f:
            f.seek(600000)
            f.write(b"\xff")
        self.takes.update(self.ids)
        self.relay.start()
        try:
            for _ in range(2):
                self.relay.retry("all")
                basics.wait_for("it is held", lambda: self.relay.count(
                    "state:held") == 1)
                basics.wait_for("all else arrives", lambda: len(
                    self.hop.messages) == len(self.ids) - 1)
                history = self.relay.ctl("message", "history",
                                         self.ids["large"])
                tries = history.count("quarantined")
                self.assertIn("its stored bytes are damaged", self.relay.ctl(
                    "message", "explain", self.ids["large"]))
                self.relay.ctl("queue", "release", f"id:{self.ids['large']}")
            self.assertEqual(tries, 2, history)
        finally:
            self.relay.stop()

    @unittest.skipIf(basics.IS_SANITIZED, "ASan must be preloaded first")
    def test_bad_sectors(self):
        """What lies in it is lost, whatever follows it is not."""
        at = self.place(5) // 4096 * 4096
        for end, lost in ((at + 512, "u5"), (at + 3 * 4096, "u5")):
            self.setUp()
            got = self.salvage(code=DAMAGED, env={
                "LD_PRELOAD": bad_sector(), "BADSECTOR_AT": str(at),
                "BADSECTOR_END": str(end),
                "BADSECTOR_FILE": os.path.basename(self.file("log", 0))})
            self.assertEqual(got["unreadable_bytes"], end - at)
            self.expect(got, lost)

    @unittest.skipIf(basics.IS_SANITIZED, "ASan must be preloaded first")
    def test_a_start_says_so(self):
        """It can't go on; the line in the log says what to do."""
        shim = faults.Shim(self.relay.folder)
        self.relay.kills = 1000         # it does not live long
        try:
            os.unlink(os.path.join(self.spool, "index", "data.mdb"))
            shim.fail("queued pread log", "EIO", first=3)
            self.relay.start(is_served=False)
            self.relay.wait_log("mtactl spool salvage DIR")
        finally:
            shim.close()
            self.relay.kill_all()

    def test_not_beside_a_running_one(self):
        """Nothing is left that would be in the way of the next try."""
        self.relay.start()
        try:
            out = os.path.join(self.relay.folder, "beside")
            p = self.relay.try_ctl("spool", "salvage", out)
            self.assertEqual(p.returncode, FAILED)
            self.assertIn("stop it first", p.stderr)
            self.assertFalse(os.path.exists(out))
        finally:
            self.relay.stop()

    def test_no_place_for_it(self):
        p = self.relay.try_ctl("spool", "salvage", self.spool)
        self.assertEqual(p.returncode, FAILED)
        self.assertIn("is not empty", p.stderr)
        self.assertEqual(self.relay.try_ctl(
            "spool", "check", "--mail").returncode, USAGE)


class AList(unittest.TestCase):
    """A message to very many recipients, some of them begun."""

    N, BAD = 20000, 16500

    def setUp(self):
        self.takes = False
        self.hop = crowd.Crowd(self.N, lambda i: b"250 2.1.5 ok\r\n"
                               if self.takes else LATER)
        self.relay = relay.Relay(self.hop.port, queue=HOUR,
                                 limits={"recipients": 1000000})
        self.name = crowd.send_content(*crowd.begin(self.relay, self.N, 5),
                                       b"Subject: all\r\n\r\nbody\r\n")
        # before it is begun as a whole
        os.killpg(self.relay.process.pid, signal.SIGKILL)
        self.relay.kill_all()

    def tearDown(self):
        self.relay.stop()
        self.relay.remove()
        self.hop.close()

    def salvage(self, name):
        """Its answer, and how many recipients each saved message has."""
        out = os.path.join(self.relay.folder, name)
        p = self.relay.try_ctl("spool", "salvage", out, "--mail", "--json")
        self.assertIn(p.returncode, (DONE, DAMAGED), p.stderr)
        mail, rcpts = os.path.join(out, "mail"), {}
        for name in os.listdir(mail):
            if name.endswith(".json"):
                with open(os.path.join(mail, name), encoding="utf-8") as f:
                    rcpts[name[:-5]] = json.load(f)["recipients"]
        return json.loads(p.stdout), rcpts

    def shown(self):
        return json.loads(self.relay.ctl("message", "show", self.name,
                                         "--json"))

    def test_a_damaged_block(self):
        got, rcpts = self.salvage("sound")
        self.assertEqual((got["recipients"], got["not_saved"]), (self.N, []))
        self.assertGreater(len(rcpts[self.name]), 5000)
        self.assertEqual(sorted(sum(rcpts.values(), [])), sorted(
            crowd.address(i, 5) for i in range(self.N)))

        path, = spool.files_of(os.path.join(self.relay.folder, "spool"),
                               "body")
        with open(path, "rb") as f:
            at = f.read().index(b"u%d@" % self.BAD)
        spool.spoil(path, at, b"v")
        got, rcpts = self.salvage("damaged")
        # all but those in one of the file's blocks of 64 KiB
        row, = got["not_saved"]
        self.assertEqual((row["id"], row["why"]), (
            self.name, "its list of recipients is damaged"))
        gap, = row["gaps"]
        first, last = (int(gap[key][1:].split("@")[0])
                       for key in ("after", "before"))
        self.assertIn(self.BAD, range(first + 1, last))
        self.assertEqual(row["missing"], last - first - 1)
        self.assertLess(row["missing"], 3000)
        self.assertEqual(got["recipients"], self.N - row["missing"])
        self.assertEqual(sorted(sum(rcpts.values(), [])), sorted(
            crowd.address(i, 5) for i in range(self.N)
            if not first < i < last))
        self.go_on_with("damaged")

    def go_on_with(self, name):
        """What lies before the damage goes on; the rest is held, and said."""
        self.assertIn(self.relay.try_ctl(
            "spool", "restore", os.path.join(self.relay.folder, name),
            "--set-aside").returncode, (DONE, DAMAGED))
        self.takes = True
        self.relay.start()
        self.relay.retry("all")
        basics.wait_for("it is held", lambda: self.shown()["state"] == "held")
        row = self.shown()
        left = self.N - row["begun"]
        # blocks of the file's sums are not those of recipients
        self.assertIn(row["begun"], range(10000, self.BAD + 1, 1000))
        basics.wait_for("the others to be served",
                        lambda: self.hop.count() == row["begun"] and
                        self.relay.count() == 1)
        self.assertEqual(self.shown()["left"], left)
        self.assertIn("quarantined",
                      self.relay.ctl("message", "history", self.name))
        # by the name that people know it by
        self.relay.wait_log(f'what="message {self.name}"')
        self.assertIn("its stored bytes are damaged", self.relay.ctl(
            "message", "explain", self.name))
        self.relay.ctl("queue", "release", f"id:{self.name}")
        basics.wait_for("it is held again",
                        lambda: self.shown()["state"] == "held")
        self.relay.ctl("queue", "delete", f"id:{self.name}", "--yes")
        self.assertEqual(self.relay.count(), 0)


if __name__ == "__main__":
    volume.enter()
    basics.main()
