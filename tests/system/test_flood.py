"""Crowds of clients: limits in all and for each, places kept for our own,
half-open thousands, no descriptors left (T10, T11, S5321-04)."""
import os
import resource
import select
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, nexthop, relay

THOUSANDS = int(os.environ.get("MTAD_FLOOD", "10000"))


def stranger(i):
    return f"127.{1 + i // 250 % 250}.{i % 250}.9"


def open_socket(port, source):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # a source port for each destination, not one for all
    s.setsockopt(socket.IPPROTO_IP, 24, 1)      # IP_BIND_ADDRESS_NO_PORT
    s.bind((source, 0))
    s.settimeout(basics.PATIENCE)
    s.connect(("127.0.0.1", port))
    return s


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f
                   if line.startswith("Private_"))


class Flood(unittest.TestCase):
    def start(self, **keys):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, **keys)
        self.addCleanup(self.relay.remove)
        self.crowd = []
        self.addCleanup(lambda: [c.close() for c in self.crowd])

    def join(self, source, has_greeting=True):
        c = self.relay.connect(source=source, has_greeting=has_greeting)
        self.crowd.append(c)
        return c

    def check_refused(self, source):
        c = self.join(source)
        self.assertEqual(c.greeting.code, 421, c.greeting)
        self.assertEqual(c.greeting.status[:2], "4.")
        self.assertTrue(c.is_closed())

    def finish(self):
        for c in self.crowd:
            c.close()
        self.crowd.clear()
        basics.wait_for("a place", lambda: self.greets("127.0.0.9"))
        self.relay.send()
        self.relay.wait_empty()
        self.relay.stop()

    def greets(self, source):
        with self.relay.connect(source=source) as c:
            return c.greeting.code == 220

    def test_one_client(self):
        """Of its places; others are served; they are free again after."""
        self.start(limits={"connections_per_client": 5})
        for _ in range(5):
            self.assertEqual(self.join("127.0.0.9").greeting.code, 220)
        for _ in range(20):
            self.check_refused("127.0.0.9")
        self.assertTrue(self.greets("127.0.0.8"))
        self.crowd.pop(0).close()
        basics.wait_for("its place", lambda: self.greets("127.0.0.9"))
        self.finish()

    def test_rate(self):
        """T11, GATE-01: 10,000 connections, 1,000 of them of one client: it
        gets so many as it may in an hour, then 421 4.7.0, without a session,
        a growing log or memory; others and our own are served meanwhile."""
        self.start(limits={"connections_rate": "100/1h",
                           "connections_per_client": 2000})
        pid = self.relay.pids("smtpd")[0]
        for i in range(20):                 # as large as it gets
            self.relay.connect(source=stranger(i)).close()
        before, used = memory_kib(pid), cpu_seconds(pid)
        first = [self.knock("127.0.0.9") for _ in range(1000)]
        # one more, should an hour of the clock begin meanwhile
        self.assertEqual(first[:100], [b"220 "] * 100)
        self.assertIn(first[101:], ([b"421 4.7.0 "] * 899, [b"220 "] + [
            b"421 4.7.0 "] * 898))
        for i in range(THOUSANDS - 1000):
            if i % 1000 == 0:
                self.relay.send()           # of ours
                self.assertEqual(self.knock("127.0.0.1"), b"220 ")
            self.assertEqual(self.knock(stranger(20 + i % 400)), b"220 ")
        self.assertLess(memory_kib(pid) - before, 2048)
        self.assertLess(cpu_seconds(pid) - used, 20)
        log = self.relay.log()
        self.assertIn('client=127.0.0.9 why=limits.connections_rate', log)
        self.assertLess(log.count(" refused "), 400)    # 50 in 10 seconds
        self.crowd = []
        self.relay.wait_empty()
        self.relay.stop()

    def knock(self, source):
        """The beginning of what it hears at once, by a plain socket."""
        with open_socket(self.relay.port, source) as s:
            return s.recv(600)[:10].partition(b"relay")[0]

    def test_rates_of_mail(self):
        """GATE-02: so many messages and recipients of one stranger, over all
        its sessions; temporary, and only for it."""
        self.start(limits={"messages_rate": "3/1h", "recipients_rate": "4/1h"})
        for i in range(3):
            with self.relay.connect(source="127.0.0.9") as c:
                c.hello()
                c.expect("MAIL FROM:<a@sender.example>", 250)
                c.expect("RCPT TO:<b@served.example>", 250)
                if i == 2:
                    c.expect("RCPT TO:<c@served.example>", 250)
                    reply = c.expect("RCPT TO:<d@served.example>", 450)
                    self.assertEqual(reply.status, "4.7.1")
                self.assertEqual(c.content(b"x\r\n").code, 250)
        with self.relay.connect(source="127.0.0.9") as c:
            c.hello()
            reply = c.expect("MAIL FROM:<a@sender.example>", 450)
            self.assertEqual(reply.status, "4.7.1")
        self.relay.send(source="127.0.0.8")
        for _ in range(5):
            self.relay.send()
        self.finish()

    def test_pauses(self):
        """T12: mistakes of a stranger take more and more time, 2.75 s in all
        until 421, whether it waits for replies or not; its neighbour does not
        feel it."""
        self.start()
        for pipelined in (True, False):
            c = self.join("127.0.0.9")
            c.hello()
            begin = time.monotonic()
            if pipelined:
                c.send("XNOPE\r\n" * 1000)
            codes = []
            while not codes or codes[-1] != 421:
                if not pipelined:
                    c.send("XNOPE\r\n")
                codes.append(c.reply().code)
                if len(codes) == 15:
                    self.relay.send()
            self.assertEqual(codes, [500] * 20 + [421])
            self.assertGreater(time.monotonic() - begin, 2.7)
            self.assertLess(time.monotonic() - begin, 60)
        self.finish()

    def test_all_busy(self):
        """A stranger who finds all places of strangers busy gets 421; a tenth
        is kept for relay.networks."""
        self.start(limits={"connections": 50, "connections_per_client": 50})
        busy = []
        for i in range(45):
            c = self.join(stranger(i))
            c.hello()
            c.expect("MAIL FROM:<a@sender.example>", 250)
            c.expect("RCPT TO:<b@served.example>", 250)
            busy.append(c)
        self.check_refused("127.0.0.9")
        for _ in range(5):
            self.assertEqual(self.join("127.0.0.1").greeting.code, 220)
        self.check_refused("127.0.0.1")
        for c in busy:
            self.assertEqual(c.content(b"x\r\n").code, 250)
        self.finish()

    def test_idle_ones_make_room(self):
        """The most idle stranger gets 421 for one who comes; not those of our
        networks, nor one in a transaction."""
        self.start(limits={"connections": 20, "connections_per_client": 20})
        ours = self.join("127.0.0.1")
        busy = self.join(stranger(0))
        busy.hello()
        busy.expect("MAIL FROM:<a@sender.example>", 250)
        idle = [self.join(stranger(i + 1)) for i in range(16)]
        idle[0].expect("NOOP", 250)
        for i in range(3):
            self.assertEqual(self.join(stranger(50 + i)).greeting.code, 220)
        for c in idle[1:4]:
            self.assertEqual(c.reply().code, 421)
            self.assertTrue(c.is_closed())
        for c in (ours, busy, *idle[4:], idle[0]):
            c.expect("NOOP", 250)
        busy.expect("RCPT TO:<b@served.example>", 250)
        self.finish()

    def test_thousands(self):
        """10,000 clients of 200 addresses that say nothing, or half a
        command: a good one is served, quickly; memory for an idle session
        stays small; when they are gone all is as before."""
        need_files(THOUSANDS + 500)
        self.start(limits={"connections": THOUSANDS + 1000,
                           "connections_per_client": THOUSANDS})
        if not has_files(self.relay, THOUSANDS):
            self.skipTest("too few descriptors")
        pid = self.relay.pids("smtpd")[0]
        before = memory_kib(pid)
        crowd = []
        self.addCleanup(lambda: [s.close() for s in crowd])
        for i in range(THOUSANDS):
            s = open_socket(self.relay.port, stranger(i % 200))
            if i % 3 == 0:
                s.sendall(b"EHL" if i % 2 else b"")
            crowd.append(s)
        greeted = wait_readable(crowd)
        self.assertEqual(greeted, THOUSANDS)
        per_session = (memory_kib(pid) - before) / THOUSANDS
        self.assertLess(per_session, 64)
        for _ in range(5):
            start = time.monotonic()
            self.relay.send()
            self.assertLess(time.monotonic() - start, 1)
        used = cpu_seconds(pid)
        time.sleep(0.5)
        self.assertLess(cpu_seconds(pid) - used, 0.2)
        for s in crowd:
            s.close()
        self.finish()

    def test_no_descriptors(self):
        """With fewer descriptors than clients: 421 or a wait, no spinning,
        and service as soon as there are some again."""
        self.start(start=False, limits={"connections": 2000,
                                        "connections_per_client": 2000})
        command = self.relay.command
        self.relay.command = lambda tool, *words: (
            ["prlimit", "--nofile=150:150", *command(tool, *words)]
            if tool == "mtad" else command(tool, *words))
        self.relay.start()
        crowd = []
        self.addCleanup(lambda: [s.close() for s in crowd])
        for i in range(300):
            crowd.append(open_socket(self.relay.port, stranger(i)))
        pid = self.relay.pids("smtpd")[0]
        time.sleep(0.5)
        used = cpu_seconds(pid)
        time.sleep(1)
        self.assertLess(cpu_seconds(pid) - used, 0.2)
        self.assertEqual(self.relay.pids("smtpd"), [pid])
        self.assertEqual(self.relay.log().count(" accept_paused "), 1)
        first = b"".join(receive(s)[:4] for s in crowd)
        self.assertIn(b"220 ", first)
        for s in crowd:
            s.close()
        self.finish()

    def test_connects_and_resets(self):
        """Thousands that come and go at once leave nothing behind."""
        self.start(limits={"connections_per_client": 100})
        pid = self.relay.pids("smtpd")[0]
        files = len(os.listdir(f"/proc/{pid}/fd"))
        for i in range(3000):
            c = client.Client(self.relay.port, source=stranger(i),
                              has_greeting=False)
            c.reset() if i % 2 else c.close()
        basics.wait_for("all are gone", lambda: len(os.listdir(
            f"/proc/{pid}/fd")) <= files)
        self.finish()


def receive(s):
    s.settimeout(0)
    try:
        return s.recv(600)
    except OSError:
        return b""


def wait_readable(crowd):
    poll = select.poll()
    for s in crowd:
        poll.register(s, select.POLLIN)
    end = time.monotonic() + basics.PATIENCE
    while time.monotonic() < end:
        count = len(poll.poll(100))
        if count == len(crowd):
            break
    return count


def need_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if basics.is_root() and hard < count:
        hard = count
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(
            count, hard)), hard))
    except (OSError, ValueError):
        pass
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < count:
        raise unittest.SkipTest("too few descriptors")


def has_files(r, count):
    with open(f"/proc/{r.pids('smtpd')[0]}/limits", encoding="ascii") as f:
        for line in f:
            if line.startswith("Max open files"):
                return int(line.split()[3]) >= count
    return False


if __name__ == "__main__":
    basics.main()
