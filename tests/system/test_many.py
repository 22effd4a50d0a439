"""One message to very many recipients: accepted as a whole, delivered to each
once, in bounded memory, whoever is killed meanwhile (I-01, I-02, I-04).

MTAD_MANY=1000000 for as many as may be; in ./test there are fewer."""
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, crowd, relay

N = int(os.environ.get("MTAD_MANY", "20000"))
SECONDS = 60 + N // 1000
QUEUED_KIB, SMTPD_KIB = 64 * 1024, 8 * 1024     # their own memory
BODY = b"Subject: all\r\n\r\n" + b"x" * 70 + b"\r\n"


def memory_kib(pid):
    total = 0
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith("Private_"):
                total += int(line.split()[1])
    return total


class Many(unittest.TestCase):
    def setUp(self):
        self.hop = crowd.Crowd(N)
        self.relay = relay.Relay(self.hop.port,
                                 limits={"recipients": 1000000})
        self.most = 0

    def tearDown(self):
        self.relay.stop()
        self.relay.remove()
        self.hop.close()

    def begin(self, domains):
        """A client that has said all recipients."""
        c, replies = crowd.begin(self.relay, N, domains)
        self.assertLess(memory_kib(self.relay.pids("smtpd")[0]), SMTPD_KIB)
        return c, replies

    def send(self, domains):
        return crowd.send_content(*self.begin(domains), BODY)

    def look(self):
        try:
            self.most = max(self.most,
                            memory_kib(self.relay.pids("queued")[0]))
        except (OSError, IndexError, KeyError, AssertionError):
            pass                # it is between two lives
        return self.hop.count() == N

    def wait_until_no_file(self):
        folder = os.path.join(self.relay.folder, "spool/body")
        basics.wait_for("its file to go", lambda: not os.listdir(folder))

    def finish(self):
        basics.wait_for("all of them", self.look, seconds=SECONDS, pause=0.1)
        self.relay.wait_empty(SECONDS)
        self.assertLess(self.most, QUEUED_KIB)
        self.wait_until_no_file()

    def test_one_domain(self):
        name = self.send(1)
        self.finish()
        self.assertEqual(self.hop.seen, bytearray(b"\1" * N))
        # the trace names what the client was told
        self.assertEqual(self.hop.ids, {name})
        self.assertEqual(self.hop.most, 100)
        events = self.relay.ctl("message", "history", name)
        self.assertEqual(events.count("further recipients"), -(-N // 1000))
        self.assertIn("all_begun", events)

    def test_many_domains_and_queued_killed(self):
        self.send(N)
        for share in (0.1, 0.4, 0.7):
            basics.wait_for("some of them",
                            lambda: self.hop.count() >= N * share,
                            seconds=SECONDS)
            self.relay.kill("queued")
        self.finish()
        # deliverd lives, and tells what it held: nobody is in doubt
        self.assertEqual(self.hop.seen, bytearray(b"\1" * N))

    def test_a_client_that_goes_leaves_nothing(self):
        c, _ = self.begin(7)
        c.socket.shutdown(socket.SHUT_RDWR)
        self.wait_until_no_file()
        c, replies = self.begin(7)
        c.socket.sendall(b"RSET\r\nNOOP\r\n")
        self.assertEqual(replies.readline()[:3], b"250")
        self.wait_until_no_file()
        self.assertEqual(self.relay.count(), 0)
        c.socket.close()


class Shown(unittest.TestCase):
    """What an operator sees of it while nobody takes it (I-10)."""

    REPLIES = {0: b"550 5.1.1 unknown\r\n", 1: b"250 2.1.5 ok\r\n"}

    def shown(self, r, name):
        return json.loads(r.ctl("message", "show", name, "--json"))

    def hold_while_it_begins(self, r, name):
        """The list and the parts there are; no further ones come."""
        r.ctl("queue", "hold", f"id:{name}")
        begun = self.shown(r, name)["begun"]
        self.assertEqual(r.count("not state:held"), 0)
        r.ctl("queue", "retry", f"id:{name}")       # held ones stay
        self.assertEqual(self.shown(r, name)["begun"], begun)
        r.ctl("queue", "release", f"id:{name}")

    def is_tried(self, r, name):
        """Each fate is counted, of all parts together."""
        row = self.shown(r, name)
        self.assertEqual((row["id"], row["total"]), (name, N))
        self.assertEqual(row["total"] - row["left"] >= row["delivered"] +
                         row["failed"], True)
        return (row["begun"], row["left"], row["waiting"], row["delivered"],
                row["failed"], row["expired"], row["deleted"],
                row["parts"]) == (N, N * 8 // 10, N * 8 // 10, N // 10,
                                  N // 10, 0, 0, -(-N // 1000))

    def act_on_all_of_it(self, r, name, parts):
        """By the one id that the client was told; nothing else is meant."""
        r.send(b"Subject: another\r\n\r\n", to="u2@d2.example")
        every, part = f"id:{name}", f"id:{r.list()[3]['id']}"
        self.assertEqual((r.count(every), r.count(part)), (parts, 1))
        self.assertEqual(r.ctl("queue", "hold", part), "held 1 message\n")
        self.assertEqual(r.ctl("queue", "hold", every),
                         f"held {parts - 1} messages\n")
        self.assertEqual(r.count("state:held"), parts)
        self.assertEqual(r.ctl("queue", "release", every),
                         f"released {parts} messages\n")
        self.assertEqual(r.count("state:held"), 0)
        r.wait_count(parts, f"{every} tries>=1")
        r.ctl("queue", "retry", every)
        r.wait_count(parts, f"{every} tries>=2")
        self.assertEqual(r.ctl("queue", "delete", every, "--yes"),
                         f"deleted {parts} messages\n")
        self.assertEqual(r.count(), 1)
        self.assertEqual(r.try_ctl("message", "show", name).returncode, 1)

    def test_as_a_whole(self):
        hop = crowd.Crowd(N, judge=lambda i: self.REPLIES.get(
            i % 10, b"450 4.2.0 later\r\n"))
        with relay.Relay(hop.port, limits={"recipients": 1000000},
                         queue={"first_retry": "1h", "max_retry": "1h"}) as r:
            name = crowd.send_content(*crowd.begin(r, N, 5, b""), BODY)
            self.hold_while_it_begins(r, name)
            parts = -(-N // 1000)
            basics.wait_for("all parts", lambda: self.is_tried(r, name) and
                            r.count() == parts, seconds=SECONDS)
            self.assertIn(f"{N}: {N * 8 // 10} wait, {N // 10} delivered, ",
                          r.ctl("message", "show", name))
            rows = r.list()
            self.assertEqual(sum(row["left"] for row in rows), N * 8 // 10)
            self.assertEqual({row["list"] for row in rows}, {name})
            part = json.loads(r.ctl("message", "show", rows[0]["id"],
                                    "--json"))
            self.assertEqual(part["list"], name)
            self.assertEqual(r.ctl("spool", "check", "--json").count(
                '"damages":0'), 1)
            self.act_on_all_of_it(r, name, parts)
        hop.close()


if __name__ == "__main__":
    basics.main()
