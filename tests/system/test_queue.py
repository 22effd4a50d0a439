"""mtactl and the queue: the contract that administrators' scripts are
written against."""
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay


class Queue(unittest.TestCase):
    """A relay whose next hop is down until a test starts one."""

    @classmethod
    def setUpClass(cls):
        cls.dead = basics.free_ports(1)[0]
        # no connection outlives the next hop of one test
        cls.relay = relay.Relay(cls.dead, deliver={"idle_timeout": 0},
                                queue={"first_retry": "1h",
                                       "max_retry": "1h"})

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()

    def setUp(self):
        self.relay.ctl("queue", "delete", "all", "--yes")
        self.ids = [
            self.relay.send(b"x\r\n", "ann@a.example", "one@d1.example"),
            self.relay.send(b"y" * 100 + b"\r\n", "bob@b.example",
                            ["two@d2.example", "three@d1.example"]),
            self.relay.send((b"z" * 70 + b"\r\n") * 2000, "",
                            "four@d3.example")]
        self.relay.wait_count(3, "state:deferred")

    def test_count(self):
        self.assertEqual(self.relay.ctl("queue", "count").strip(), "3")
        self.assertEqual(self.relay.ctl("queue", "count", "all").strip(),
                         "3")
        self.assertEqual(json.loads(self.relay.ctl("queue", "count",
                                                   "--json")),
                         {"v": 1, "count": 3})
        self.assertEqual(json.loads(self.relay.ctl("--json", "queue",
                                                   "count", "from:nobody")),
                         {"v": 1, "count": 0})

    def test_list(self):
        rows = self.relay.list()
        self.assertEqual([row["id"] for row in rows], self.ids)
        first = rows[0]
        self.assertEqual(first["from"], "ann@a.example")
        self.assertEqual(first["state"], "deferred")
        self.assertEqual(first["recipients"], ["one@d1.example"])
        self.assertGreaterEqual(first["size"], 3)
        self.assertEqual(sorted(rows[1]["recipients"]),
                         ["three@d1.example", "two@d2.example"])
        self.assertEqual(rows[2]["from"], "")
        people = self.relay.ctl("queue", "list")
        for queue_id in self.ids:
            self.assertIn(queue_id, people)

    def test_selections(self):
        a, b, c = self.ids
        for selection, expected in (
                ("all", [a, b, c]), (f"id:{b}", [b]),
                ("from:ann@a.example", [a]), ("FROM:Ann@A.example", [a]),
                ("from:*@b.example", [b]), ("from:@b.example", [b]),
                ("from:<>", [c]), ("to:two@d2.example", [b]),
                ("to:*@d1.example", [a, b]), ("domain:d1.example", [a, b]),
                ("domain:d1.example not from:<>", [a, b]),
                ("state:deferred", [a, b, c]), ("state:held", []),
                ("size>1K", [c]), ("size>100K size<1M", [c]),
                ("not size>1K", [a, b]), ("tries>=0", [a, b, c]),
                ("age<1h", [a, b, c]), ("age>1h", []),
                (f"id:{a} or id:{c}", [a, c]),
                ("( from:ann@a.example or from:bob@b.example ) "
                 "domain:d2.example", [b]),
                ("not ( domain:d1.example )", [c]),
                ("from:ann@a.example domain:d3.example", [])):
            with self.subTest(selection):
                self.assertEqual([row["id"] for row in
                                  self.relay.list(selection)], expected)
                self.assertEqual(self.relay.count(selection), len(expected))
        # several words come as several arguments just as well
        p = self.relay.try_ctl("queue", "count", "domain:d1.example",
                               "not", "from:ann@a.example")
        self.assertEqual(p.stdout.strip(), "1")

    def test_wrong_selections(self):
        for selection in ("stat:deferred", "state:lost", "size>", "( all",
                          "age>soon", "all )", "or", "id", "x:y",
                          "( " * 5000 + "all", "not " * 30000 + "all"):
            with self.subTest(selection[:20]):
                p = self.relay.try_ctl("queue", "count", selection)
                self.assertNotEqual(p.returncode, 0)
                self.assertTrue(p.stderr)
                self.assertEqual(p.stdout, "")
        self.assertEqual(self.relay.count(), 3)

    def test_delete(self):
        p = self.relay.try_ctl("queue", "delete", f"id:{self.ids[0]}")
        self.assertNotEqual(p.returncode, 0)        # nobody is there to ask
        self.assertEqual(self.relay.count(), 3)
        self.relay.ctl("queue", "delete", "all", "--dry-run")
        self.assertEqual(self.relay.count(), 3)
        self.relay.ctl("queue", "delete", f"id:{self.ids[0]}", "--yes")
        self.assertEqual([row["id"] for row in self.relay.list()],
                         self.ids[1:])

    def test_hold_and_release(self):
        self.relay.ctl("queue", "hold", "from:bob@b.example")
        self.assertEqual([row["id"] for row in
                          self.relay.list("state:held")], [self.ids[1]])
        with nexthop.NextHop(self.dead) as hop:
            self.relay.retry()
            basics.wait_for("two", lambda: len(hop.messages) == 2)
            time.sleep(0.3)
            self.assertEqual(self.relay.count(), 1)
            self.relay.ctl("queue", "release", "all")
            self.relay.retry()
            self.relay.wait_empty()
            self.assertEqual(sorted(m.sender for m in hop.messages),
                             ["", "ann@a.example", "bob@b.example"])

    def test_retry_some(self):
        with nexthop.NextHop(self.dead) as hop:
            self.relay.retry("from:ann@a.example")
            basics.wait_for("it", lambda: hop.messages)
            self.relay.retry("all")
            self.relay.wait_empty()

    def test_hold_survives_a_restart(self):
        self.relay.ctl("queue", "hold", "from:bob@b.example")
        self.relay.stop()
        self.relay.start()
        self.assertEqual([row["id"] for row in
                          self.relay.list("state:held")], [self.ids[1]])
        self.assertEqual([row["id"] for row in self.relay.list()], self.ids)

    def test_show(self):
        text = self.relay.ctl("message", "show", self.ids[1])
        for word in (self.ids[1], "bob@b.example", "two@d2.example",
                     "three@d1.example"):
            self.assertIn(word, text)
        shown = json.loads(self.relay.ctl("message", "show", self.ids[1],
                                          "--json"))
        self.assertEqual(shown["id"], self.ids[1])
        for wrong in ("nonsense", "0000100999999", "", "x" * 5000):
            p = self.relay.try_ctl("message", "show", wrong)
            self.assertNotEqual(p.returncode, 0, wrong)
            self.assertTrue(p.stderr, wrong)
        p = self.relay.try_ctl("message", "history", "0")
        self.assertEqual(p.returncode, 2)
        self.assertTrue(p.stderr.startswith("mtactl: several messages begin "
                                            "like that: "), p.stderr)

    def test_status(self):
        status = json.loads(self.relay.ctl("status", "--json"))
        for name in relay.CHILDREN:
            for pid in status["pids"][name]:
                with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                    self.assertEqual(f.read().strip(), name)
        self.assertIn("3", self.relay.ctl("status"))

    def test_usage(self):
        for words in (["frobnicate"], ["queue"], ["queue", "lits"],
                      ["--nope"], ["message", "show"]):
            p = self.relay.try_ctl(*words)
            self.assertNotEqual(p.returncode, 0, words)
            self.assertTrue(p.stderr, words)
        self.assertIn("queue list", self.relay.ctl("--help"))

    def test_not_running(self):
        other = relay.Relay(self.dead, start=False)
        p = other.try_ctl("status")
        self.assertNotEqual(p.returncode, 0)
        self.assertTrue(p.stderr)
        other.remove()


class Socket(unittest.TestCase):
    """The control socket among strangers (T42, T47, CVE-2025-62875)."""

    def setUp(self):
        self.relay = relay.Relay(1)
        self.addCleanup(self.relay.remove)
        self.path = os.path.join(self.relay.folder, "run/control.sock")

    def tearDown(self):
        self.relay.stop()

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(basics.PATIENCE)
        s.connect(self.path)
        return s

    def test_garbage(self):
        """Ends that session only."""
        pids = self.relay.pids()
        for data in (b"\0" * 100, b"\xff" * 100000, b"GET / HTTP/1.0\r\n\r\n",
                     struct.pack("<I", 0xFFFFFFFF), struct.pack("<I", 8),
                     os.urandom(5000)):
            with self.subTest(data[:8]), self.connect() as s:
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        self.assertEqual(self.relay.pids(), pids)

    def test_many_silent_sessions(self):
        """Do not keep mail from flowing, nor others from asking."""
        silent = []
        try:
            for _ in range(200):
                try:
                    silent.append(self.connect())
                except OSError:
                    break
            self.relay.send()
        finally:
            for s in silent:
                s.close()
        basics.wait_for("an answer", lambda: self.relay.try_ctl(
            "queue", "count").returncode == 0)

    @unittest.skipUnless(basics.is_root(), "needs root")
    def test_permissions(self):
        """Root and the group mtad; nobody else (setpriv)."""
        self.relay.ctl("queue", "count")
        relay_user, self.relay.user = self.relay.user, "nobody"
        try:
            self.assertNotEqual(self.relay.try_ctl("queue", "count"
                                                   ).returncode, 0)
        finally:
            self.relay.user = relay_user
        mode = os.stat(self.path).st_mode & 0o777
        self.assertEqual(mode & 0o007, 0, oct(mode))


class Storm(unittest.TestCase):
    def test_operators_and_mail(self):
        """T55: lists, holds, retries and reloads while mail flows: nothing
        lost, nothing twice."""
        with nexthop.NextHop() as hop, relay.Relay(
                hop.port, limits={"connections_per_client": 200}) as r:
            done = threading.Event()
            errors = []

            def operate(words):
                while not done.is_set():
                    p = r.try_ctl(*words)
                    if p.returncode != 0:
                        errors.append((words, p.stderr))

            threads = [threading.Thread(target=operate, args=(words,))
                       for words in (("queue", "list"), ("queue", "hold",
                                                         "tries>=0"),
                                     ("queue", "release", "all"),
                                     ("queue", "retry", "all"), ("reload",))]
            for t in threads:
                t.start()
            sent = set()
            with r.connect() as c:
                c.hello()
                for i in range(400):
                    c.mail("a@sender.example", [f"u{i}@served.example"],
                           b"x\r\n")
                    sent.add(f"u{i}@served.example")
            done.set()
            for t in threads:
                t.join()
            r.ctl("queue", "release", "all")
            r.retry()
            r.wait_empty()
            got = [a for m in hop.messages for a in m.recipients]
            self.assertEqual(errors, [])
            self.assertEqual(len(got), len(set(got)))
            self.assertEqual(set(got), sent)

    def test_reload_drops_nobody(self):
        """A session goes on over reloads, good ones and bad ones."""
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            with r.connect() as c:
                c.hello()
                c.expect("MAIL FROM:<a@sender.example>", 250)
                r.configure(limits={"recipients": 500})
                r.ctl("reload")
                r.process.send_signal(signal.SIGHUP)
                c.expect("RCPT TO:<b@served.example>", 250)
                self.assertEqual(c.content(b"x\r\n").code, 250)
            r.wait_empty()
            self.assertEqual(len(hop.messages), 1)


if __name__ == "__main__":
    basics.main()
