"""A full disk: refusals that ask to come back, deliveries that go on, a
service that resumes by itself, and nothing lost (I-06, T37, SIZE-03)."""
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, volume

BODY = (b"x" * 76 + b"\r\n") * 2000      # goes into the log
LARGE = BODY * 10                         # is a file of its own


class DiskFull(unittest.TestCase):
    def start(self, mib, inodes=0, **keys):
        self.folder = tempfile.mkdtemp(prefix="mtad-test.")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.volume = volume.Volume(os.path.join(self.folder, "spool"), mib,
                                    inodes)
        self.addCleanup(self.volume.close)
        self.next_port = basics.free_ports(1)[0]
        self.relay = relay.Relay(self.next_port, folder=self.folder,
                                 deliver={"idle_timeout": 0},
                                 queue={"first_retry": "1h",
                                        "max_retry": "1h"}, **keys)
        self.addCleanup(self.relay.remove)
        self.acknowledged = []

    def offer(self, body=BODY):
        """The final reply to a message, or the one that refused it."""
        name = f"m{len(self.acknowledged)}@served.example"
        with self.relay.connect() as c:
            c.hello()
            for command in ("MAIL FROM:<a@sender.example>",
                            f"RCPT TO:<{name}>"):
                reply = c.command(command)
                if reply.code != 250:
                    return reply
            reply = c.content(body)
        if reply.code == 250:
            self.acknowledged.append(name)
        return reply

    def offer_until_refused(self, body=BODY, most=20000):
        for _ in range(most):
            reply = self.offer(body)
            if reply.code != 250:
                return reply
        self.fail("the disk does not get full")

    def check_refusal(self, reply):
        self.assertEqual((reply.code, reply.status), (452, "4.3.1"),
                         str(reply))

    def accepts(self):
        return self.offer().code == 250

    def check_all_arrive(self):
        with nexthop.NextHop(self.next_port) as hop:
            self.relay.retry()
            self.relay.wait_empty()
            self.assertEqual(sorted(m.recipients[0] for m in hop.messages),
                             sorted(self.acknowledged))
            self.assertTrue(all(m.below in (BODY, LARGE)
                                for m in hop.messages))
        self.acknowledged.clear()

    def test_filled_by_mail(self):
        """Accepting stops at the reserve; what is queued goes out all the
        same, and makes room again; a restart in between changes nothing."""
        self.start(32)
        reply = self.offer_until_refused()
        self.check_refusal(reply)
        self.assertGreater(len(self.acknowledged), 20)
        self.relay.wait_log("spool_full")
        # SIZE-03: said at MAIL already
        with self.relay.connect() as c:
            c.hello()
            self.check_refusal(c.command("MAIL FROM:<a@sender.example>"))
            c.expect("NOOP", 250)
        self.assertEqual(self.relay.count(), len(self.acknowledged))
        self.relay.stop()
        self.relay.start()
        self.assertEqual(self.relay.count(), len(self.acknowledged))
        self.check_all_arrive()
        basics.wait_for("room again", self.accepts, pause=0.2)
        self.relay.wait_log("spool_room")
        self.check_all_arrive()
        self.relay.stop()

    def test_filled_by_others(self):
        """Somebody's file takes the rest of the disk, and goes again."""
        self.start(64)
        self.assertTrue(self.accepts())
        ballast = self.volume.fill()
        reply = self.offer_until_refused()
        self.check_refusal(reply)
        self.check_all_arrive()
        os.unlink(ballast)
        basics.wait_for("room again", self.accepts, pause=0.2)
        self.check_all_arrive()
        self.relay.stop()

    def test_large_bodies(self):
        """Those of which each is a file: refused while they come, or
        before."""
        self.start(48)
        reply = self.offer_until_refused(LARGE)
        self.check_refusal(reply)
        self.assertGreater(len(self.acknowledged), 1)
        self.check_all_arrive()
        basics.wait_for("room again", lambda: self.offer(LARGE).code ==
                        250, pause=0.2)
        self.relay.stop()

    def test_no_inodes(self):
        """No file can be made: nothing is lost, small mail or large."""
        self.start(64, inodes=24)
        for _ in range(200):
            reply = self.offer(LARGE)
            if reply.code != 250:
                self.check_refusal(reply)
                break
        for _ in range(200):
            reply = self.offer()
            self.assertIn(reply.code, (250, 452))
        self.check_all_arrive()
        self.relay.stop()

    def test_small_at_all(self):
        """A spool on 16 MiB works."""
        self.start(16)
        for _ in range(20):
            self.assertTrue(self.accepts())
        self.check_all_arrive()
        self.relay.stop()

    def test_clients_wait_for_nothing(self):
        """A refusal comes at once, and costs no processor."""
        self.start(32)
        self.offer_until_refused()
        start = time.monotonic()
        for _ in range(50):
            self.check_refusal(self.offer())
        self.assertLess(time.monotonic() - start, 5)
        pid = self.relay.pids("queued")[0]
        before = cpu_ticks(pid)
        time.sleep(1)
        self.assertLess(cpu_ticks(pid) - before, 20)
        self.relay.stop()


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    volume.enter()
    basics.main()
