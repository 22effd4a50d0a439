"""mtactl spool restore: a backup becomes a spool again, and nothing is sent
twice of which the history knows the end."""
import json
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, faults, history, load, nexthop, relay, volume

DONE, DAMAGED, USAGE, FAILED = 0, 1, 2, 4
HOUR = {"first_retry": "1h", "max_retry": "1h"}
LATER = b"450 4.2.0 not now\r\n"
NEVER = b"550 5.1.1 nobody here\r\n"


class Hop:
    """A next hop that takes, defers or refuses by recipient."""

    def __init__(self):
        self.takes, self.refuses = set(), set()
        self.hop = nexthop.NextHop(RCPT=self.answer)

    def answer(self, line, _session):
        who = nexthop.path(line).split("@")[0]
        return (None if who in self.takes else
                NEVER if who in self.refuses else LATER)

    def got(self):
        """How often each recipient's mail was taken."""
        names = [name.split("@")[0] for m in self.hop.messages
                 for name in m.recipients]
        return {name: names.count(name) for name in names}


class Case(unittest.TestCase):
    def setUp(self):
        self.hop = Hop()
        self.relay = relay.Relay(self.hop.hop.port, queue=HOUR)
        self.addCleanup(self.hop.hop.close)
        self.addCleanup(self.relay.remove)
        self.spool = os.path.join(self.relay.folder, "spool")
        self.backup = os.path.join(self.relay.folder, "backup")

    def fill(self, count):
        ids = {f"u{i}": self.relay.send(
            b"Subject: x\r\n\r\nnumber %06d.\r\n" % i,
            to=f"u{i}@served.example") for i in range(count)}
        self.relay.wait_count(count, "tries>=1 state:deferred")
        return ids

    def restore(self, *words, code=DONE):
        """As soon as what was killed is gone."""
        p = basics.wait_for("the spool is free", lambda: self.try_restore(
            *words))
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return json.loads(p.stdout)

    def try_restore(self, *words):
        p = self.relay.try_ctl("spool", "restore", self.backup, "--json",
                               *words)
        return None if "running mtad" in p.stderr else p

    def refused(self, words, why):
        p = self.relay.try_ctl("spool", "restore", *words)
        self.assertEqual(p.returncode, FAILED, p.stdout)
        self.assertIn(why, p.stderr)

    def journal_is_on_disk(self, count, kind):
        basics.wait_for("the history is written", lambda: sum(
            e.kind == kind for e in history.read(self.spool)) >= count)

    def start_again(self):
        self.relay.kills = 100
        self.relay.start()


class Known(Case):
    """The history of the spool that is lost knows what was sent since."""

    def test_nothing_is_sent_twice(self):
        ids = self.fill(16)
        before = json.loads(self.relay.ctl("spool", "stats", "--json"))
        self.relay.ctl("spool", "backup", self.backup)
        # u0 to u5 arrive, u6 and u7 are refused; the report on u6 arrives,
        # that on u7 does not, for its sender's host defers
        self.hop.takes = {f"u{i}" for i in range(6)} | {"from"}
        self.hop.refuses = {"u6"}
        self.relay.retry("all")
        self.relay.wait_count(9)
        self.hop.takes, self.hop.refuses = set(), {"u7"}
        self.relay.retry(f"id:{ids['u7']}")
        self.relay.wait_count(1, "from:<>")
        self.relay.ctl("queue", "hold", f"id:{ids['u8']}")
        self.relay.ctl("queue", "delete", f"id:{ids['u9']}", "--yes")
        late = self.relay.send(to="late@served.example")
        self.journal_is_on_disk(1, "deleted")
        self.journal_is_on_disk(19, "accepted")     # with two reports
        self.relay.kill_all()
        log = os.path.join(self.spool, "log")
        for name in os.listdir(log):
            os.truncate(os.path.join(log, name), 0)

        got = self.restore("--set-aside")
        self.assertEqual(
            (got["verdict"], got["messages"], got["delivered"], got["ended"],
             got["unreported"], got["held"], got["is_known"]),
            ("restored", 8, 6, 2, 1, 0, True))
        self.assertIn(late, got["missing"])
        self.assertEqual(got["aside"], f"{self.spool}.aside.1")
        self.assertIn("spool", os.listdir(got["aside"]))

        self.hop.refuses = set()
        self.start_again()
        self.assertEqual(self.relay.count("state:held"), 1)
        self.assertEqual(self.relay.list("state:held")[0]["id"], ids["u8"])
        self.hop.takes = {f"u{i}" for i in range(16)} - {"u7"} | {"from"}
        self.hop.refuses = {"u7"}
        self.relay.retry("all")
        self.relay.wait_count(1)
        self.relay.ctl("queue", "release", "all")
        self.relay.retry("all")
        self.relay.wait_empty()
        # the report on u7 that was lost is made again, once
        self.assertEqual(self.hop.got(), {
            **{f"u{i}": 1 for i in range(16) if i not in (6, 7, 9)},
            "from": 2})
        # its own number, and ids that nobody had
        after = json.loads(self.relay.ctl("spool", "stats", "--json"))
        self.assertNotEqual(before["uuid"], after["uuid"])
        self.assertGreater(self.relay.send(to="u0@served.example"), late)
        self.relay.wait_empty()
        # and the history goes on where it was
        text = self.relay.ctl("message", "history", ids["u0"])
        self.assertEqual(text.count("accepted"), 1, text)
        self.assertEqual(text.count("delivered"), 1, text)
        self.assertIn("sound\n", self.relay.ctl("spool", "check"))
        self.relay.stop()
        self.assertTrue(history.read(self.spool, sums=True))

    def test_under_load(self):
        """What was acknowledged before the backup arrives; what the history
        knows as delivered does not arrive again."""
        run = load.Load(self.relay.folder, delay_ms=10)
        self.addCleanup(run.close)
        self.relay.configure(routes=[{
            "to": "*", "via": f"smtp://127.0.0.1:{run.port}"}],
            deliver={"connections": 10})
        self.relay.ctl("reload")
        run.start(self.relay.port, 20, 4096)
        basics.wait_for("a queue", lambda: run.acked() > 500 and
                        self.relay.count() > 2500)
        acked, _ = run.known()
        told = json.loads(self.relay.ctl("spool", "backup", self.backup,
                                         "--json"))
        arrived = run.arrived()
        basics.wait_for("mail arrives", lambda: run.arrived() >
                        arrived + 100)
        basics.wait_for("the history is behind it", lambda: history.last(
            self.spool) > told["copy"]["group"], pause=0.1)
        self.relay.kill_all()
        run.finish()
        got = self.restore("--set-aside")
        self.assertTrue(got["is_known"], got)
        self.assertGreater(got["delivered"], 0)
        self.assertGreater(got["messages"], 0)
        known = {int(e.who[1:].split(".")[0])
                 for e in history.read(got["aside"])
                 if e.kind == "delivered"}
        before = list(run.received.flags())
        self.start_again()
        self.relay.retry("all")
        self.relay.wait_empty(60)
        after = list(run.received.flags())
        lost = [n for n in acked if not after[n]]
        self.assertEqual(lost, [])
        again = [n for n in known if after[n] > before[n]]
        self.assertEqual(again, [])
        # a connection had some whose verdicts were not written yet
        self.assertLessEqual(sum(a > b > 0 for a, b in zip(after, before)),
                             10 * 5)
        self.assertEqual(run.compare()["corrupt"], 0)


class Unknown(Case):
    """Nobody knows what became of the mail since."""

    def test_it_is_held(self):
        ids = self.fill(3)
        self.relay.ctl("spool", "backup", self.backup)
        self.relay.stop()
        shutil.rmtree(self.spool)
        got = self.restore()
        self.assertEqual((got["messages"], got["held"], got["is_known"]),
                         (3, 3, False))
        shutil.rmtree(self.spool)       # again, for people
        self.assertIn("next: start mtad, look at `mtactl queue list "
                      "state:held`", self.relay.ctl(
                          "spool", "restore", self.backup))
        self.assertIn("no history", got["unknown"])
        self.hop.takes = set(ids)
        self.start_again()
        self.assertEqual(self.relay.count("state:held"), 3)
        self.assertIn("held        by spool restore: ", self.relay.ctl(
            "message", "history", ids["u1"]))
        self.relay.retry("all")
        self.assertEqual(self.hop.got(), {})
        self.relay.ctl("queue", "release", "all")
        self.relay.retry("all")
        self.relay.wait_empty()
        self.assertEqual(self.hop.got(), {"u0": 1, "u1": 1, "u2": 1})
        self.relay.stop()

    def test_or_sent_on_the_operators_word(self):
        ids = self.fill(2)
        self.relay.ctl("spool", "backup", self.backup)
        self.relay.stop()
        shutil.rmtree(self.spool)
        os.mkdir(self.spool)            # an empty one is as good as none
        got = self.restore("--release")
        self.assertEqual((got["messages"], got["held"]), (2, 0))
        self.hop.takes = set(ids)
        self.start_again()
        self.relay.retry("all")
        self.relay.wait_empty()
        self.assertEqual(self.hop.got(), {"u0": 1, "u1": 1})
        self.relay.stop()

    def test_a_history_that_is_older(self):
        """It is asked by name, and knows too little; a newer one is enough."""
        ids = self.fill(2)
        old = os.path.join(self.relay.folder, "old")
        self.journal_is_on_disk(2, "deferred")
        self.relay.stop()
        shutil.copytree(os.path.join(self.spool, "history"), old)
        self.relay.start()
        self.relay.send(to="u2@served.example")
        self.relay.ctl("spool", "backup", self.backup)
        self.hop.takes = {"u0"}
        self.relay.retry(f"id:{ids['u0']}")
        self.relay.wait_count(2)
        self.relay.stop()
        new = os.path.join(self.relay.folder, "new")
        os.rename(self.spool, new)
        got = self.restore("--journal", old)
        self.assertEqual((got["messages"], got["held"], got["delivered"]),
                         (3, 3, 0))
        self.assertIn("ends before it", got["unknown"])
        got = self.restore("--journal", new, "--set-aside")
        self.assertEqual((got["messages"], got["held"], got["delivered"]),
                         (2, 0, 1))

    def test_a_history_with_a_hole(self):
        self.fill(1)
        self.relay.ctl("spool", "backup", self.backup)
        self.relay.send(to="u1@served.example")
        self.relay.stop()
        folder = os.path.join(self.spool, "history")
        path = os.path.join(folder, sorted(os.listdir(folder))[0])
        with open(path, "r+b") as f:
            f.seek(100)
            f.write(b"####")
        got = self.restore("--set-aside")
        self.assertEqual((got["held"], got["unknown"]),
                         (1, "the history has a hole"))


class Refused(Case):
    def test_what_must_not_be(self):
        self.fill(1)
        self.relay.ctl("spool", "backup", self.backup)
        self.refused([self.backup, "--set-aside"], "running mtad")
        # nor when somebody took its lock file for a stale one
        os.unlink(os.path.join(self.spool, "lock"))
        self.refused([self.backup, "--set-aside"], "running mtad")
        self.relay.stop()
        before = sorted(os.listdir(self.spool))
        self.refused([self.backup], "--set-aside")
        self.refused([self.spool, "--set-aside"], "is no backup")
        self.refused([f"{self.backup}/none", "--set-aside"], "none")
        self.refused([self.backup, "--set-aside", "--journal", "/nowhere"],
                     "/nowhere")
        path = os.path.join(self.backup, "backup")
        os.truncate(path, os.path.getsize(path) - len("sum 01234567\n"))
        self.refused([self.backup, "--set-aside"], "damaged")
        os.rename(path, f"{path}.incomplete")
        self.refused([self.backup, "--set-aside"], "not complete")
        self.assertEqual(sorted(os.listdir(self.spool)), before)
        self.assertNotIn("spool.restoring", os.listdir(self.relay.folder))
        p = self.relay.try_ctl("spool", "check", "--set-aside")
        self.assertEqual(p.returncode, USAGE)

    @unittest.skipIf(basics.IS_SANITIZED, "ASan must be preloaded first")
    def test_a_name_that_can_not_be_given(self):
        """Whichever rename fails: it says so, and the spool is where it was,
        or it is done."""
        self.fill(1)
        self.relay.ctl("spool", "backup", self.backup)
        self.relay.stop()
        before = sorted(os.listdir(self.spool))
        shim = faults.Shim(self.relay.folder)
        self.addCleanup(shim.close)
        failed = 0
        for n in range(1, 50):
            shim.fail("queued rename *", "EIO", first=n, count=1)
            p = self.relay.try_ctl("spool", "restore", self.backup,
                                   "--set-aside")
            if not shim.hits():
                break
            if p.returncode == FAILED:
                failed += 1
                self.assertEqual(sorted(os.listdir(self.spool)), before)
                names = os.listdir(self.relay.folder)
                self.assertFalse([x for x in names if ".aside." in x])
                shutil.rmtree(f"{self.spool}.restoring", ignore_errors=True)
            else:
                self.assertEqual(p.returncode, DONE, p.stderr)
                shutil.rmtree(self.spool)
                os.rename(f"{self.spool}.aside.1", self.spool)
        self.assertGreaterEqual(failed, 2)

    def test_damage_costs_what_it_hit(self):
        ids = self.fill(5)
        large = self.relay.send(b"Subject: large\r\n\r\n" +
                                (b"y" * 76 + b"\r\n") * 9000,
                                to="u5@served.example")
        self.relay.wait_count(6, "tries>=1")
        self.relay.ctl("spool", "backup", self.backup)
        self.relay.stop()
        log = os.path.join(self.backup, "log")
        path = os.path.join(log, sorted(os.listdir(log))[0])
        with open(path, "r+b") as f:
            at = f.read().index(b"number 000003.") + 7
            f.seek(at)
            f.write(b"9")
        body = os.path.join(self.backup, "body")
        os.unlink(os.path.join(body, os.listdir(body)[0]))
        got = self.restore("--set-aside", code=DAMAGED)
        self.assertEqual((got["verdict"], got["messages"]),
                         ("restored, damaged", 6))
        named = {f.get("id") for f in got["copy"]["found"]}
        self.assertEqual(named - {None}, {ids["u3"], large})
        self.hop.takes = {f"u{i}" for i in range(6)}
        self.start_again()
        self.relay.retry("all")
        self.relay.wait_count(2)
        self.assertEqual(self.hop.got(),
                         {name: 1 for name in ("u0", "u1", "u2", "u4")})


if __name__ == "__main__":
    volume.enter()
    basics.main()
