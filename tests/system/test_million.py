"""An operator before a long queue: answers that are exact, at once, in slices
that no mail waits for; acts on all of it that survive a kill (I-04, I-10).

MTAD_MILLION=1000000 makes the queue that long; in ./test it is shorter."""
import json
import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay, spool

N = int(os.environ.get("MTAD_MILLION", "60000"))
SENDERS, DOMAINS, HELD = 100, 50, 2
DAYS = 3
FILL = ("-s", SENDERS, "-d", DOMAINS, "-h", HELD, "-A", f"{DAYS}d",
        "-f", "20h", "-w", "40h", "-b", "300-700")
READ_US = 100_000               # no read transaction is longer
MEMORY_KIB = 64 * 1024          # of queued, its own
PATIENCE = 60 + N // 5000       # seconds for an act on all of it


def filled(**keys):
    """A relay over a long queue, for a next hop that is not there; whatever is
    tried is neither reported nor given up."""
    r = relay.Relay(basics.free_ports(1)[0], start=False,
                    queue={"warn": "30d", "expire": "60d"}, **keys)
    spool.fill(os.path.join(r.folder, "spool"), N, *FILL)
    r.start()
    return r


def count(r, *selection):
    """Also right after queued died: another one will answer."""
    p = basics.wait_for("an answer", lambda: answered(
        r, "queue", "count", *selection), seconds=PATIENCE)
    return int(p.stdout)


def answered(r, *words):
    p = r.try_ctl(*words, seconds=PATIENCE)
    return p if p.returncode == 0 else None


class Looking(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relay = filled()

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()

    def test_counts_are_exact(self):
        of_sender, of_domain = N // SENDERS, N // DOMAINS
        held = N // 100 * HELD
        for words, wanted in (
                ((), N),
                (("from:sender7@s7.example.org",), of_sender),
                (("from:SENDER7@S7.example.org",), of_sender),
                (("from:@s7.example.org",), of_sender),
                (("domain:d7.example.net",), of_domain),
                (("to:*@d7.example.net",), of_domain),
                (("to:user7@*",), 1),
                (("state:held",), held),
                (("state:deferred",), N - held),
                (("state:active",), 0),
                (("not", "state:held"), N - held),
                (("not", "state:deferred"), held),
                (("not", "from:sender7@s7.example.org"), N - of_sender),
                (("not", "(domain:d7.example.net", "state:deferred)"),
                 N - of_domain),
                (("state:deferred", "or", "from:@s7.example.org"), N - held),
                (("from:sender7@s7.example.org", "or",
                  "from:sender8@s8.example.org"), 2 * of_sender),
                (("from:sender0@s0.example.org", "state:held"), of_sender),
                (("from:sender7@s7.example.org", "state:held"), 0),
                (("from:nobody@s7.example.org",), 0),
                (("size>10M",), 0), (("tries>=1",), N - held)):
            with self.subTest(words):
                self.assertEqual(count(self.relay, *words), wanted)

    def test_ages_part_the_queue(self):
        """All arrived evenly over three days, so each day has its third."""
        young = count(self.relay, "age<1d")
        self.assertAlmostEqual(young, N / DAYS, delta=N / 50)
        # they grow older between the two
        self.assertAlmostEqual(young + count(self.relay, "age>=1d"), N,
                               delta=N / 500)
        self.assertEqual(count(self.relay, "age>4d"), 0)
        both = count(self.relay, "age>=1d", "age<2d", "state:held")
        self.assertAlmostEqual(both, N / 100 * HELD / DAYS, delta=N / 500)

    def test_what_is_counted_is_what_is_listed(self):
        for words in ((), ("state:held",), ("domain:d7.example.net",),
                      ("age<2h",), ("from:sender7@s7.example.org",),
                      ("size>500", "state:deferred")):
            with self.subTest(words):
                before = count(self.relay, *words)
                p = self.relay.try_ctl("queue", "list", "--json", *words,
                                       seconds=PATIENCE)
                ids = [json.loads(line)["id"]
                       for line in p.stdout.splitlines()]
                # one may turn two hours old in between
                self.assertLessEqual(len(ids), before)
                self.assertGreaterEqual(len(ids), count(self.relay, *words))
                if not words or "age" not in words[0]:
                    self.assertEqual(len(ids), before)
                self.assertEqual(ids, sorted(set(ids)))

    def test_a_page_is_the_begin_of_the_list(self):
        whole = self.relay.ctl("queue", "list", "--json", "state:held")
        page = self.relay.ctl("queue", "list", "--json", "--limit", "7",
                              "state:held")
        self.assertEqual(page.splitlines(), whole.splitlines()[:7])

    def test_no_read_lasts(self):
        """The longest since the start.  A machine that is busy with something
        else may stop us within one, so a second start may be better."""
        for _ in range(3):
            count(self.relay, "to:user7@* or not tries>=1")
            self.relay.ctl("queue", "list", "--json")
            status = json.loads(self.relay.ctl("status", "--json"))
            longest = status["figures"]["longest_read_us"]
            if longest < READ_US:
                return
            self.relay.stop()
            self.relay.start()
        self.fail(f"a read transaction took {longest} us")


class Start(unittest.TestCase):
    def test_a_good_one_is_found_behind_all_that_are_due(self):
        """All of it is due, for hosts that are down; behind it, in the order
        of time, one for a host that answers.  It is found before the others
        are put off (I-04)."""
        hop, dead = nexthop.NextHop(), basics.free_ports(1)[0]
        routes = [{"to": "good0.example.net",
                   "via": f"smtp://127.0.0.1:{hop.port}"}]
        routes += [{"to": f"d{i}.example.net",
                    "via": f"smtp://127.1.1.{1 + i}:{dead}"}
                   for i in range(DOMAINS)]
        r = relay.Relay(start=False, routes=routes,
                        queue={"warn": "30d", "expire": "60d",
                               "first_retry": "1h", "max_retry": "1h"})
        with r:
            path = os.path.join(r.folder, "spool")
            spool.fill(path, N, "-s", SENDERS, "-d", DOMAINS, "-A", "1d",
                       "-f", "0s", "-w", "0s", "-b", "300-700")
            spool.fill(path, 1, "-p", "good", "-d", 1, "-a", 100)
            r.start()
            basics.wait_for("the good one", lambda: hop.messages,
                            seconds=PATIENCE)
            self.assertGreater(count(r, "state:active"), N / 3)


class Mail(unittest.TestCase):
    def test_mail_goes_on_while_all_is_listed(self):
        """T55: replies while an operator lists the whole queue in a loop."""
        with filled() as r:
            alone = self.replies(r)
            end = threading.Event()
            lists = []

            def look():
                while not end.is_set():
                    p = r.try_ctl("queue", "list", "--json",
                                  seconds=PATIENCE)
                    lists.append(p.stdout.count("\n"))

            thread = threading.Thread(target=look)
            thread.start()
            beside = self.replies(r)
            end.set()
            thread.join()
        self.assertGreaterEqual(min(lists), N)
        print(f"replies: p50 {alone[0]:.1f} p99 {alone[1]:.1f} ms alone, "
              f"{beside[0]:.1f} {beside[1]:.1f} ms beside {len(lists)} lists")
        # a slice is a millisecond; what is more comes from a busy machine
        self.assertLess(beside[0], alone[0] + 100)

    def replies(self, r):
        """ms to the reply to the final dot: median and 99 of 100."""
        times = []
        with r.connect() as c:
            c.hello()
            for i in range(100):
                c.expect("MAIL FROM:<a@b.example>", 250)
                c.expect(f"RCPT TO:<r{i}@served.example>", 250)
                begin = time.monotonic()
                reply = c.content(b"Subject: x\r\n\r\nx\r\n")
                times.append(1e3 * (time.monotonic() - begin))
                self.assertEqual(reply.code, 250)
        times.sort()
        return times[len(times) // 2], times[-2]


class Memory(threading.Thread):
    """The most that queued had for itself, of whichever there was."""
    def __init__(self, r):
        super().__init__()
        self.relay, self.most, self.is_over = r, 0, threading.Event()

    def run(self):
        while not self.is_over.wait(0.1):
            for pid in self.relay.session():
                try:
                    with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                        if f.read() != "queued\n":
                            continue
                    with open(f"/proc/{pid}/status", encoding="ascii") as f:
                        kib = [int(line.split()[1]) for line in f
                               if line.startswith("RssAnon:")]
                except OSError:
                    continue
                self.most = max([self.most, *kib])

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()


class Acts(unittest.TestCase):
    def test_acts_on_all_survive_kills(self):
        """Hold, release and delete everything; queued is killed in the middle
        of each.  What was answered is done, and nothing is done in part."""
        with filled() as r, Memory(r) as memory:
            kept = "from:sender7@s7.example.org"
            self.act(r, "hold", "all", lambda: count(r, "state:held"), N)
            self.act(r, "release", "not " + kept,
                     lambda: N - count(r, "state:held"), N - N // SENDERS)
            self.act(r, "delete", "not " + kept,
                     lambda: N - count(r), N - N // SENDERS)
            self.assertEqual(count(r, kept, "state:held"), N // SENDERS)
        print(f"queued had {memory.most} KiB at most")
        self.assertLess(memory.most, MEMORY_KIB)

    def act(self, r, verb, selection, done, wanted):
        """Once with a kill in between, then to its end."""
        box = []
        before = done()
        thread = threading.Thread(target=lambda: box.append(r.try_ctl(
            "queue", verb, selection, "--yes", seconds=PATIENCE)))
        thread.start()
        basics.wait_for("some are done", lambda: done() > before)
        r.kill("queued")
        thread.join()
        some = basics.wait_for("queued is back", lambda: done() or 1)
        self.assertLessEqual(some, wanted)
        begin = time.monotonic()
        p = r.try_ctl("queue", verb, selection, "--yes", "--json",
                      seconds=PATIENCE)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertEqual(done(), wanted)
        changed = json.loads(p.stdout)["count"]
        print(f"{verb}: {changed} messages in "
              f"{time.monotonic() - begin:.1f} s")


class Behind(unittest.TestCase):
    def test_others_are_found_behind_a_full_line(self):
        """All is due: more than memory takes of one sender for a next hop that
        hangs, and behind it in the index some for one that serves."""
        due = ("-a", 100, "-s", 1, "-d", 1, "-b", "300-700")
        with nexthop.NextHop(dot=nexthop.HANG) as stuck, \
                nexthop.NextHop() as good, \
                relay.Relay(start=False, routes=[
                    {"to": "bad0.example.net",
                     "via": f"smtp://127.0.0.1:{stuck.port}"},
                    {"to": "*", "via": f"smtp://127.0.0.1:{good.port}"}],
                    queue={"warn": "30d", "expire": "60d"}) as r:
            path = os.path.join(r.folder, "spool")
            spool.fill(path, max(N, 60000) + 10000, *due, "-p", "bad")
            spool.fill(path, 5, *due, "-p", "good")
            began = time.monotonic()
            r.start()
            basics.wait_for("those behind are delivered",
                            lambda: len(good.messages) == 5, 60)
            print(f"behind {max(N, 60000) + 10000}: "
                  f"{time.monotonic() - began:.1f} s")
            self.assertEqual(r.count(), max(N, 60000) + 10000)
            self.assertFalse(stuck.messages)
            stuck.stopped.set()
            p = r.try_ctl("queue", "delete", "all", "--yes",
                          seconds=PATIENCE)
            self.assertEqual(p.returncode, 0, p.stderr)


if __name__ == "__main__":
    basics.main()
