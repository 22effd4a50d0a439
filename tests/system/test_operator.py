"""mtactl when the queue is long, when messages are under way, and when the
relay starts again; what its answers look like, word by word."""
import json
import os
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, load, nexthop, relay

DONE, NO_MESSAGE, USAGE, UNREACHED = 0, 1, 2, 3
HOUR = {"first_retry": "1h", "max_retry": "1h"}


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = relay.Relay(basics.free_ports(1)[0], queue=HOUR)
        cls.id = cls.relay.send()
        cls.relay.wait_count(1, "state:deferred")

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()

    def test_the_start_names_what_a_power_cut_may_repeat(self):
        self.relay.wait_log("spool_opened")
        line = next(x for x in self.relay.log().splitlines()
                    if "spool_opened" in x)
        self.assertIn("verdicts_synced_within=1.000s", line)

    def test_options_stand_anywhere(self):
        for words in (("--json", "queue", "count"), ("queue", "--json",
                      "count"), ("queue", "count", "--json"),
                      ("queue", "count", "-j", "state:deferred"),
                      ("queue", "count", "all", "--json")):
            with self.subTest(words):
                self.assertEqual(self.relay.ctl(*words),
                                 '{"v":1,"count":1}\n')
        self.assertEqual(self.relay.ctl("queue", "count"), "1\n")

    def test_forecast(self):
        """Nobody listens there, and nobody ever did: it will expire."""
        answer = json.loads(self.relay.ctl("forecast", "--json"))
        self.assertEqual((answer["v"], answer["recipients"], answer["held"],
                          answer["expiring"]), (1, 1, 0, 1))
        self.assertGreater(answer["all_ms"], 3600 * 1000)
        row, = answer["longest"]
        self.assertEqual((row["recipients"], row["success_permille"]), (1, 0))
        self.assertGreaterEqual(row["attempts"], 1)
        self.assertGreater(row["blocked_ms"], 0)
        text = self.relay.ctl("forecast")
        for words in ("1 recipient for 1 destination", "all gone",
                      "1 of them will grow too old", "nothing new comes"):
            self.assertIn(words, text)

    def test_exit_codes(self):
        for words, code in (
                (("queue", "count"), DONE),
                (("queue", "count", "id:0000100999999"), DONE),
                (("queue", "hold", "from:nobody@x.example"), DONE),
                (("message", "show", "0000100999999"), NO_MESSAGE),
                (("message", "show", "no/id"), USAGE),
                (("queue", "hold"), USAGE),
                (("queue", "delete", "all"), USAGE),
                # an unset variable of a script
                (("queue", "delete", "", "--yes"), USAGE),
                (("queue", "hold", " "), USAGE),
                (("queue", "count", ""), DONE),
                (("queue", "count", "colour:red"), USAGE),
                (("queue", "count", "( all"), USAGE),
                (("queue", "coutn"), USAGE), ((), USAGE),
                (("queue", "count", "--sojn"), USAGE),
                (("-c", "/nonexistent.yaml", "queue", "count"), UNREACHED),
                (("-s", "/nonexistent", "queue", "count"), UNREACHED)):
            with self.subTest(words):
                p = self.relay.try_ctl(*words)
                self.assertEqual(p.returncode, code, p.stderr)
                self.assertEqual(p.stderr == "", code == DONE)
                self.assertEqual(p.stdout == "", code != DONE)

    def test_changes_in_json(self):
        for verb in ("hold", "release", "retry"):
            self.assertEqual(json.loads(self.relay.ctl(
                "queue", verb, "all", "--json")), {"v": 1, "verb": verb,
                                                   "dry_run": False,
                                                   "count": 1})

    def test_show_tells_why_and_when(self):
        """I-10"""
        self.relay.wait_count(1, "state:deferred")
        shown = json.loads(self.relay.ctl("message", "show", self.id,
                                          "--json"))
        recipient = shown["recipients"][0]
        self.assertEqual(recipient["address"], "to@served.example")
        self.assertEqual(recipient["state"], "deferred")
        self.assertIn("refused", recipient["text"])
        self.assertGreater(recipient["due"], shown["arrived"])
        self.assertTrue(shown["header"].startswith("Received: "))
        self.assertIn("Subject: x\r\n", shown["header"])

    def test_an_answer_comes_at_once(self):
        """Also where a sync has to come first."""
        for verb in ("hold", "release", "retry"):
            start = time.monotonic()
            self.relay.ctl("queue", verb, "all")
            self.assertLess(time.monotonic() - start, 0.8)
        queue_id = self.relay.send()
        start = time.monotonic()
        self.relay.ctl("queue", "delete", f"id:{queue_id}", "--yes")
        self.assertLess(time.monotonic() - start, 0.8)


class UnderWay(unittest.TestCase):
    """Messages that a next hop has half."""

    def setUp(self):
        self.go_on = threading.Event()

        def dot(message, session):
            self.go_on.wait(basics.PATIENCE)
            return self.reply

        self.reply = b"451 4.3.0 not now\r\n"
        self.hop = nexthop.NextHop(dot=dot)
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, queue=HOUR)
        self.addCleanup(self.relay.remove)
        self.id = self.relay.send()
        basics.wait_for("the dot", lambda: self.hop.dotted)
        self.assertEqual(self.relay.count("state:active"), 1)

    def tearDown(self):
        self.go_on.set()
        self.relay.stop()

    def test_delete(self):
        """What fails is not tried again."""
        self.relay.ctl("queue", "delete", "all", "--yes")
        self.go_on.set()
        self.relay.wait_empty()
        time.sleep(0.3)
        self.assertEqual(len(self.hop.dotted), 1)
        self.assertNotIn("failed id=", self.relay.log())

    def test_hold(self):
        """What fails is held."""
        self.relay.ctl("queue", "hold", "all")
        self.go_on.set()
        self.relay.wait_count(1, "state:held")
        self.relay.retry()
        time.sleep(0.3)
        self.assertEqual(self.relay.count("state:held"), 1)
        self.assertEqual(len(self.hop.dotted), 1)
        self.reply = b"250 2.0.0 taken\r\n"
        self.relay.ctl("queue", "release", "all")
        self.relay.retry()
        self.relay.wait_empty()

    def test_retry(self):
        """Is no second attempt beside the first."""
        self.relay.retry()
        time.sleep(0.3)
        self.assertEqual(len(self.hop.dotted), 1)
        self.reply = b"250 2.0.0 taken\r\n"
        self.go_on.set()
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 1)


class LongQueue(unittest.TestCase):
    """20,000 messages (more: MTAD_LONG_QUEUE) to a next hop that is down."""

    COUNT = int(os.environ.get("MTAD_LONG_QUEUE", "20000"))

    def test_it(self):
        """I-04: all become deferred, are counted, listed, held and released
        within moments, survive a restart, and go when the next hop is back;
        the memory of queued does not follow."""
        dead = basics.free_ports(1)[0]
        with relay.Relay(dead, queue=HOUR, limits={
                "connections_per_client": 200}) as r:
            sent = load.fill(r.port, r.folder, self.COUNT)
            r.wait_count(self.COUNT, "state:deferred", 60)
            rows = r.list("state:deferred")
            self.assertEqual(len(rows), self.COUNT)
            victims = [row["id"] for row in rows[:2]]
            r.ctl("queue", "hold", "all")
            self.assertEqual(r.count("state:held"), self.COUNT)
            r.ctl("queue", "release", f"not id:{victims[0]}")
            r.ctl("queue", "delete", f"id:{victims[1]}", "--yes")
            r.stop()
            r.start()
            self.assertEqual(r.count(), self.COUNT - 1)
            self.assertEqual([row["id"] for row in r.list("state:held")],
                             victims[:1])
            self.assertEqual(r.count(f"id:{victims[1]}"), 0)
            sink = load.Load(r.folder, port=dead)
            self.addCleanup(sink.close)
            sink.sent = sent
            r.retry()
            r.wait_count(1, seconds=60)
            self.assertEqual(r.count("state:held"), 1)
            r.ctl("queue", "release", "all")
            r.retry()
            r.wait_empty()
            fate = sink.compare()
            self.assertEqual(fate["lost"], 1)       # the deleted one
            self.assertEqual(fate["repeats"] + fate["corrupt"], 0)
            if not basics.IS_SANITIZED:
                self.assertLess(r.memory_kib(), 200 * 1024)


class Greedy(unittest.TestCase):
    def test_readers_that_do_not_read(self):
        """T47: a list that nobody takes costs no memory and delays nobody."""
        with relay.Relay(basics.free_ports(1)[0], queue=HOUR) as r:
            with r.connect() as c:
                c.hello()
                for i in range(50):
                    c.mail("a@b.example", [f"r{j}@served.example"
                                           for j in range(100)], b"x\r\n")
            before = r.memory_kib()
            path = os.path.join(r.folder, "run/control.sock")
            greedy = []
            for _ in range(40):
                s = socket.socket(socket.AF_UNIX)
                s.connect(path)
                greedy.append(s)
            time.sleep(0.2)
            r.send()
            self.assertLess(r.memory_kib() - before, 32 * 1024)
            for s in greedy:
                s.close()
            basics.wait_for("an answer", lambda: r.try_ctl(
                "queue", "count").returncode == DONE)


if __name__ == "__main__":
    basics.main()
