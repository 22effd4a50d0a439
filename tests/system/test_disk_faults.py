"""A disk that fails: every way it can, with the whole relay on it.  What could
not be written is refused for now, what was promised stays, deliveries go on
where they can, and service resumes by itself when the fault is over (I-01,
I-02, I-06, T37, T38).

Full disks are in test_disk_full.py; here are the faults that the shim makes
(support/faults.py), and file systems that turn read-only.  With MTAD_LONG=1
all of them, else some."""
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, faults, nexthop, relay, volume

SMALL = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 20
MIDDLE = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 2000
LARGE = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 12000
BODIES = (SMALL, MIDDLE, LARGE)
LONG = bool(os.environ.get("MTAD_LONG"))    # each fault, not some of them


class DiskFault(unittest.TestCase):
    def start(self, mib=96, **keys):
        self.folder = tempfile.mkdtemp(prefix="mtad-test.")
        self.addCleanup(shutil.rmtree, self.folder, True)
        os.chmod(self.folder, 0o755)
        self.volume = volume.Disk(os.path.join(self.folder, "spool"), mib)
        self.addCleanup(self.volume.close)
        self.shim = faults.Shim(self.folder)
        self.addCleanup(self.shim.close)
        self.next_port = basics.free_ports(1)[0]
        keys.setdefault("queue", {"first_retry": "1h", "max_retry": "1h"})
        self.relay = relay.Relay(self.next_port, folder=self.folder,
                                 deliver={"idle_timeout": 0}, **keys)
        self.addCleanup(self.relay.remove)
        self.addCleanup(self.show)
        self.acknowledged, self.unknown, self.number = [], [], 0
        self.hop = None
        # a fault of the very first writes ends the start, and that is all
        basics.wait_for("it serves", lambda: getattr(
            self.offer(), "code", 0) == 250)

    def show(self):
        if self.relay.process is not None:      # it was not stopped
            print(self.relay.log_tail(), flush=True)

    def listen(self, **script):
        """The next hop; without it everything waits."""
        self.hop = nexthop.NextHop(self.next_port, **script)
        self.addCleanup(self.hop.close)

    def offer(self, body=SMALL, sender="a@sender.example"):
        """The reply that decided; None when there was none."""
        name = f"m{self.number}@served.example"
        self.number += 1
        try:
            with self.relay.connect() as c:
                c.hello()
                for command in (f"MAIL FROM:<{sender}>",
                                f"RCPT TO:<{name}>"):
                    reply = c.command(command)
                    if reply.code != 250:
                        return reply
                reply = c.content(body)
        except (OSError, client.Closed):
            self.unknown.append(name)
            return None
        if reply.code == 250:
            self.acknowledged.append(name)
        return reply

    def offer_for(self, seconds, bodies=BODIES):
        """Codes and statuses of what is offered in that time."""
        end, seen = time.monotonic() + seconds, set()
        while time.monotonic() < end:
            for body in bodies:
                reply = self.offer(body)
                seen.add((reply.code, reply.status) if reply else None)
            time.sleep(0.02)
        return seen

    def check_temporary(self, seen):
        """Nothing but acceptance, no room, or 451 for a failed group."""
        self.assertLessEqual(seen, {(250, "2.0.0"), (452, "4.3.1"),
                                    (451, "4.3.0")})

    def check_resumes(self):
        """By itself, for mail of each size."""
        try:
            for body in BODIES:
                basics.wait_for("mail is accepted again", lambda b=body:
                                getattr(self.offer(b), "code", 0) == 250,
                                pause=0.2)
        except AssertionError:
            print(self.relay.ctl("spool", "stats"))
            print("\n".join(line for line in self.relay.log().splitlines()
                            if " spool_" in line))
            raise

    def check_all_arrive(self, may_repeat=False):
        """Once each; what was refused never; what nobody knows, perhaps."""
        if self.hop is None:
            self.listen()
        self.relay.retry("all")
        self.relay.wait_empty(40)
        arrived = [m.recipients[0] for m in self.hop.messages
                   if m.reply and m.reply[:1] == b"2"]
        for name in self.acknowledged:
            self.assertIn(name, arrived, "lost")
            if not may_repeat:
                self.assertEqual(arrived.count(name), 1, name)
        for name in arrived:
            self.assertIn(name, self.acknowledged + self.unknown,
                          "was refused")
        for message in self.hop.messages:
            self.assertIn(message.below, BODIES)

    # -- each write, each sync, once ---------------------------------------
    def test_one_call_fails(self):
        """EIO, ENOSPC or EDQUOT of one call of each kind, at its first and
        its fifth time: the group's messages are refused (451), or nobody
        notices."""
        self.start()
        self.listen()
        self.relay.retry("all")     # or all that comes would fill the disk
        for point, names in (
                ("queued pwrite log", ("EIO", "ENOSPC", "EDQUOT")),
                ("queued fdatasync log", ("EIO", "ENOSPC")),
                ("queued pwrite body", ("EIO", "EDQUOT")),
                ("queued fdatasync body", ("EIO",)),
                ("queued fsync body_dir", ("EIO",)),
                ("queued open body", ("EMFILE", "EDQUOT")),
                ("queued pwrite spare", ("EIO",)),
                ("queued writev index", ("EIO", "ENOSPC")),
                ("queued fdatasync index", ("EIO",)),
                ("queued pwrite index_meta", ("EIO", "ENOSPC")),
                ("queued statvfs dir", ("EIO",)),
                ("queued unlink body", ("EIO",))):
            for name in names if LONG else names[:1]:
                for first in (1, 5) if LONG else (2,):
                    with self.subTest(point=point, name=name, first=first):
                        self.wait_spares()
                        self.shim.fail(point, name, first, 1)
                        self.check_temporary(self.offer_for(0.25))
                        self.shim.cancel()
        self.check_resumes()
        self.check_all_arrive()
        self.assertEqual(self.pids(), self.first_pids())
        self.relay.stop()

    def wait_spares(self):
        """A failed write costs a segment, and the next one needs another
        (without one queued leaves: the tests of double failures)."""
        log = os.path.join(self.volume.path, "log")
        basics.wait_for("there are spares", lambda: sum(
            name.startswith("spare.") for name in os.listdir(log)) >= 2)

    def pids(self):
        return self.relay.pids("queued")

    def first_pids(self):
        """No queued was started twice."""
        self.assertNotIn(" child_died ", self.relay.log())
        return self.pids()

    # -- and for a while ----------------------------------------------------
    def fault(self, points, name, seconds=1.5, may_die=False):
        """All these calls fail for some time, with mail on its way in and
        out; the refusals that there were."""
        self.start()
        self.listen()
        for body in BODIES:
            self.assertEqual(self.offer(body).code, 250)
        for slot, point in enumerate(points):
            self.shim.fail(point, name, slot=slot)
        if may_die:
            self.relay.kills = 1000
        seen = self.offer_for(seconds)
        for slot in range(len(points)):
            self.shim.cancel(slot)
        self.check_temporary(seen - ({None} if may_die else set()))
        self.check_resumes()
        self.check_all_arrive(may_die)
        if not may_die:
            self.first_pids()
        self.relay.stop()
        return seen - {(250, "2.0.0"), None}

    @unittest.skipUnless(LONG, "long")
    def test_no_sync_of_large_bodies(self):
        self.assertTrue(self.fault(["queued fdatasync body"], "EIO"))

    def test_quota(self):
        """EDQUOT wherever a file grows: as a full disk."""
        seen = self.fault(["queued pwrite body", "queued pwrite spare",
                           "queued open body", "queued open spare"],
                          "EDQUOT")
        self.assertIn((452, "4.3.1"), seen)

    @unittest.skipUnless(LONG, "long")
    def test_index_writes_fail(self):
        """The log goes on alone (SPOOL.md, The index): nothing is refused
        in so short a time."""
        self.assertEqual(self.fault(["queued writev index",
                                     "queued pwrite index",
                                     "queued pwrite index_meta"], "EIO",
                                    3), set())

    @unittest.skipUnless(LONG, "long")
    def test_index_syncs_fail(self):
        self.assertEqual(self.fault(["queued fdatasync index"], "ENOSPC", 3),
                         set())

    @unittest.skipUnless(LONG, "long")
    def test_no_descriptors(self):
        """T39: no file can be opened by queued."""
        seen = self.fault(["queued open *"], "EMFILE")
        self.assertLessEqual(seen, {(452, "4.3.1"), (451, "4.3.0")})

    @unittest.skipUnless(LONG, "long")
    def test_room_is_unknown(self):
        """Files that are there are enough; without them mail waits."""
        seen = self.fault(["queued statvfs *"], "EIO")
        self.assertLessEqual(seen, {(452, "4.3.1")})

    # -- the log fails altogether -------------------------------------------
    def test_the_log_cannot_be_written(self):
        """Twice in a row: queued leaves without a reply, comes again, and
        clients hear the truth by their tokens (SPOOL.md rule 5, I-03)."""
        self.fault(["queued pwrite log", "queued pwrite spare"], "EIO",
                   may_die=True)
        self.assertIn(" child_died ", self.relay.log())

    @unittest.skipUnless(LONG, "long")
    def test_the_log_cannot_be_synced(self):
        self.fault(["queued fdatasync log", "queued fdatasync spare"], "EIO",
                   may_die=True)
        self.assertIn(" child_died ", self.relay.log())

    # -- reading ------------------------------------------------------------
    def test_reads_fail(self):
        """A body that can't be read now is tried again, never taken for
        damaged, never sent in part."""
        self.start(queue={"first_retry": "1s", "max_retry": "1s"})
        for _ in range(4):
            for body in BODIES:
                self.assertEqual(self.offer(body).code, 250)
        self.relay.ctl("queue", "hold", "all")
        self.relay.stop()           # so that nothing is in memory
        self.relay.start()
        self.relay.wait_count(len(self.acknowledged))
        self.shim.fail("queued pread log", "EIO")
        self.shim.fail("queued pread body", "EIO", slot=1)
        self.listen()
        self.relay.ctl("queue", "release", "all")
        self.relay.retry("all")
        time.sleep(2)
        self.assertEqual([m for m in self.hop.messages
                          if m.below not in BODIES], [])
        self.assertEqual(self.relay.count(), len(self.acknowledged))
        self.shim.cancel()
        self.shim.cancel(1)
        self.check_all_arrive()
        for line in self.relay.log().splitlines():
            if " spool_damaged " in line:
                self.assertIn('why="input/output error"', line)
        self.relay.stop()

    def test_reads_fail_at_the_start(self):
        """No start, rather than one that takes what it can't read for the
        end of the log."""
        self.start()
        for _ in range(4):
            for body in BODIES:
                self.assertEqual(self.offer(body).code, 250)
        self.relay.stop()
        for name in ("queued pread log", "queued pread *"):
            self.shim.fail(name, "EIO")
            self.relay.start(is_served=False)
            self.assertEqual(self.relay.process.wait(20), 1)
        self.shim.cancel()
        self.relay.kills = 2        # of the starts that could not be
        self.relay.start()
        self.relay.wait_count(len(self.acknowledged))
        self.check_all_arrive()
        self.relay.stop()

    # -- a slow one ---------------------------------------------------------
    @unittest.skipUnless(LONG, "long")
    def test_syncs_of_five_seconds(self):
        """Clients wait, nobody is told anything wrong, and the relay is
        itself again at once."""
        self.start()
        self.listen()
        self.assertEqual(self.offer().code, 250)
        self.shim.order("queued fdatasync log", "delay", count=1,
                        delay_ms=5000)
        start = time.monotonic()
        self.assertEqual(self.offer().code, 250)
        self.assertGreater(time.monotonic() - start, 4.5)
        start = time.monotonic()
        self.assertEqual(self.offer().code, 250)
        self.assertLess(time.monotonic() - start, 2)
        self.check_all_arrive()
        self.first_pids()
        self.relay.stop()

    # -- file systems -------------------------------------------------------
    @unittest.skipUnless(LONG, "long")
    def test_read_only_for_a_while(self):
        """As the kernel does on errors of the disk."""
        self.start()
        self.listen()
        self.relay.retry("all")
        self.relay.wait_empty()
        self.relay.kills = 1000
        # files that are open for writing keep a mount from becoming so
        for slot, point in enumerate((
                "queued pwrite *", "queued open spare", "queued open body",
                "queued rename *", "queued unlink *", "queued writev *",
                "queued fallocate *")):
            self.shim.fail(point, "EROFS", slot=slot)
        seen = self.offer_for(2)
        for slot in range(7):
            self.shim.cancel(slot)
        self.check_temporary(seen - {None})
        self.assertNotIn((250, "2.0.0"), seen)
        self.check_resumes()
        self.check_all_arrive(True)
        self.relay.stop()

    def test_read_only_at_the_start(self):
        """Refused with a reason; when it is writable it serves, with all
        that it had."""
        self.start()
        for body in BODIES:
            self.assertEqual(self.offer(body).code, 250)
        self.relay.stop()
        self.volume.set_writable(False)
        self.relay.start(is_served=False)
        self.assertEqual(self.relay.process.wait(20), 1)
        self.assertIn("Read-only file system", self.relay.log())
        self.volume.set_writable(True)
        self.relay.kills = 1        # of the start that could not be
        self.relay.start()
        self.check_resumes()
        self.check_all_arrive()
        self.relay.stop()

    @unittest.skipUnless(LONG, "long")
    def test_full_map(self):
        """T38: an index that takes no row more; the log goes on alone, and
        when that is as far ahead as it may be, mail waits."""
        self.start()
        self.listen()
        self.shim.fail("queued writev index", "ENOSPC")
        self.shim.fail("queued pwrite index", "ENOSPC", slot=1)
        seen = self.offer_for(4)
        self.check_temporary(seen)
        self.shim.cancel()
        self.shim.cancel(1)
        self.check_resumes()
        self.check_all_arrive()
        self.first_pids()
        self.relay.stop()

    # -- the reserve --------------------------------------------------------
    def test_results_and_reports_find_room(self):
        """On a disk that others have filled: refusals and reports of what
        waits are still written, and make room (SPOOL.md, Room)."""
        self.start(64)
        for _ in range(20):
            self.assertEqual(self.offer(MIDDLE).code, 250)
        ballast = self.volume.fill()
        basics.wait_for("mail is refused", lambda: self.offer().code == 452)
        waiting = len(self.acknowledged)
        self.listen(RCPT=lambda text, session: None
                    if "sender.example" in text else
                    b"550 5.1.1 nobody\r\n")
        self.relay.retry("all")
        self.relay.wait_empty(40)
        reports = [m for m in self.hop.messages
                   if m.recipients == ["a@sender.example"]]
        self.assertEqual(len(reports), waiting)
        os.unlink(ballast)
        basics.wait_for("room again",
                        lambda: self.offer().code == 250, pause=0.2)
        self.relay.stop()


if __name__ == "__main__":
    volume.enter()
    basics.main()
