"""The index of the spool under a service that runs: its file returns its space
when a backlog has gone (R-16), whatever kills queued meanwhile; bytes of it that
somebody spoils cost no message (R-11, I-05); one that is lost is made again, whatever kills
queued meanwhile; and whoever takes the spool's lock
away lets no second queued in.

With MTAD_LONG=1 queued is killed at each step of making the file smaller, else
at the one that decides."""
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, faults, nexthop, relay, spool, volume

MIB = 1 << 20
BACKLOG = 25000                     # an index of some 24 MiB
ANEW = 2000
HOUR = {"first_retry": "1h", "max_retry": "1h"}
WAITS = ("-f", "1h", "-w", "2h")
# segments of 8 MiB: four that compaction leaves, and spares, which may be
# some times as large when they were segments of the backlog
SLACK = 80 * MIB
STEPS = (
    ("open index_new", "before"), ("write index_new", "before"),
    ("write index_new", "after"), ("fdatasync index_new", "before"),
    ("fdatasync index_new", "after"), ("rename index", "before"),
    ("rename index", "after"), ("fsync index_dir", "after"),
    ("unlink index_lock", "before"), ("unlink index_lock", "after"),
)


def blocks(path):
    """What a spool takes of the disk."""
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(path) for name in names)


def size(a_relay, *words):
    try:
        return os.stat(os.path.join(a_relay.folder, "spool", *words)).st_size
    except FileNotFoundError:
        return 0


class Space(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mtad-test.")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        self.shim = faults.Shim(self.folder)
        self.addCleanup(self.shim.close)
        self.port = basics.free_ports(1)[0]
        self.relay = relay.Relay(self.port, folder=self.folder)
        self.addCleanup(self.relay.remove)
        self.spool = os.path.join(self.folder, "spool")

    def stats(self):
        return json.loads(self.relay.ctl("spool", "stats", "--json"))

    def backlog_goes(self):
        """All but ten, which stay; their ids."""
        self.relay.stop()
        spool.fill(self.spool, BACKLOG, "-b", "4000", *WAITS)
        self.assertGreater(blocks(self.spool), 140 * MIB)
        self.relay.start()
        kept = {row["id"] for row in json.loads(
            "[" + ",".join(self.relay.ctl(
                "queue", "list", "from:sender7@s7.example.org", "--json")
                .splitlines()[:10]) + "]")}
        self.relay.ctl("queue", "hold", " or ".join(
            f"id:{i}" for i in kept))
        self.assertGreater(size(self.relay, "index", "data.mdb"), 16 * MIB)
        self.relay.ctl("queue", "delete", "not state:held", "--yes")
        return kept

    def check(self, kept):
        held = {row["id"] for row in self.relay.list("state:held")}
        self.assertEqual(held, kept)
        self.assertEqual(self.relay.count(), len(kept))
        self.assertEqual(size(self.relay, "index", "data.mdb.new"), 0)
        self.assertFalse(os.path.exists(
            os.path.join(self.spool, "index.aside")))

    def killed_at(self, point, moment):
        kept = self.backlog_goes()
        self.shim.order(f"queued {point}", f"kill_{moment}")
        self.relay.kills += 1
        self.shim.wait_hit(seconds=60)
        basics.wait_for("the index's file is small", lambda: size(
            self.relay, "index", "data.mdb") < 2 * MIB, 60, 0.1)
        basics.wait_for("queued is back", lambda: self.relay.try_ctl(
            "queue", "count").returncode == 0, 60)
        self.check(kept)

    def test_what_a_backlog_took_returns(self):
        with nexthop.NextHop(self.port) as hop:
            self.relay.send()
            self.relay.wait_empty()
            basics.wait_for("the spares are made", lambda: self.stats()
                            ["spares"] >= 2, 60)
            empty = blocks(self.spool)
            # four spares, the first segment, and what the index has beyond
            # its end
            self.assertLess(empty, (4 * 8 + 4 + 16 + 4) * MIB)
            for point, moment in STEPS if os.environ.get("MTAD_LONG") else (
                    ("rename index", "after"),):
                with self.subTest(point=point, moment=moment):
                    self.killed_at(point, moment)
                    basics.wait_for("the space is back", lambda: blocks(
                        self.spool) < empty + SLACK, 60, 0.1)
                    self.relay.send()
                    basics.wait_for("mail flows", lambda: self.relay.count()
                                    == 10, 60)
                    self.relay.ctl("queue", "delete", "all", "--yes")
            self.assertGreater(len(hop.messages), 1)
        self.assertIn("sound\n", self.relay.ctl("spool", "check"))
        self.relay.stop()

    def test_an_index_is_made_anew_whatever_kills_that(self):
        """Lost: each start that makes it again is killed but the last (R-11)."""
        self.relay.stop()
        spool.fill(self.spool, ANEW, *WAITS)
        shutil.rmtree(os.path.join(self.spool, "index"))
        for point, moment in (("fdatasync index_new", "before"),
                              ("rename index", "after")):
            with self.subTest(point=point, moment=moment):
                self.shim.order(f"queued {point}", f"kill_{moment}")
                self.relay.kills += 1
                self.relay.start(is_served=False)
                self.shim.wait_hit(seconds=60)
                basics.wait_for("queued is back", lambda: self.relay.try_ctl(
                    "queue", "count").returncode == 0, 60)
                self.assertEqual(self.relay.count(), ANEW)
                self.assertEqual(size(self.relay, "index", "data.mdb.new"), 0)
                self.assertIn("sound\n", self.relay.ctl("spool", "check"))
                self.relay.stop()
                shutil.rmtree(os.path.join(self.spool, "index"))


class Damage(unittest.TestCase):
    """Bytes of the index change under queued's hands."""

    def spoil(self, where):
        """What was spoilt is found at once or by the next start."""
        with relay.Relay(basics.free_ports(1)[0],
                         queue=HOUR) as r:
            r.stop()
            spool.fill(os.path.join(r.folder, "spool"), 500, *WAITS)
            r.start()
            ids = [r.send() for _ in range(5)]
            basics.wait_for("the index has it", lambda: json.loads(
                r.ctl("spool", "stats", "--json"))["index_lag_bytes"] == 0)
            before = {row["id"] for row in r.list()}
            self.assertLessEqual(set(ids), before)
            r.kills += 20
            path = os.path.join(r.folder, "spool", "index", "data.mdb")
            with open(path, "r+b") as f:
                pages = bytearray(f.read())
                where(pages)
                f.seek(0)
                f.write(pages)
            # an answer that is not whole is no answer: the command fails
            aside = os.path.join(r.folder, "spool", "index.aside")

            def is_made_anew():
                r.try_ctl("queue", "list", "--json")
                r.try_ctl("queue", "retry", "all")
                return os.path.exists(aside)
            basics.wait_for("the index is made anew", is_made_anew, 60)
            basics.wait_for("queued is back", lambda: r.try_ctl(
                "queue", "count").returncode == 0, 60)
            self.assertEqual({row["id"] for row in r.list()}, before)
            self.assertIn("spool_", r.log())
            self.assertIn("sound\n", r.ctl("spool", "check"))
            r.send()

    def test_rows_that_lie(self):
        """A letter in each address that the index has of one domain."""
        def change(pages):
            self.assertIn(b"@d3.example.net", pages)
            pages[:] = pages.replace(b"@d3.example.net", b"@D3.example.net")
        self.spoil(change)

    def test_pages_that_are_none(self):
        """Heads of pages: LMDB may die of them, and the next start looks."""
        def change(pages):
            for at in range(2 * 4096, len(pages), 4096):
                pages[at + 10:at + 16] = b"\xff\xff\xff\xff\xff\xff"
        self.spoil(change)


class Lock(unittest.TestCase):
    def test_a_second_queued_stays_out(self):
        """Another mtad with the same spool, after somebody has removed what
        looked like a stale lock."""
        with relay.Relay(basics.free_ports(1)[0],
                         queue=HOUR) as r:
            ids = {r.send() for _ in range(3)}
            os.unlink(os.path.join(r.folder, "spool", "lock"))
            second = relay.Relay(start=False, queue={**HOUR,
                "path": os.path.join(r.folder, "spool")})
            try:
                second.start(is_served=False)
                second.wait_log("another process has the spool open")
                self.assertEqual(second.try_ctl("queue", "count").returncode
                                 == 0, False)
            finally:
                second.kill_all()
                second.remove()
            self.assertEqual({row["id"] for row in r.list()}, ids)
            self.assertIn("sound\n", r.ctl("spool", "check"))
            r.send()


if __name__ == "__main__":
    volume.enter()
    basics.main()
