"""The configuration at the start and at a reload, good, bad and mutilated;
signals; a second instance (T48)."""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay

SAMPLE = os.path.join(basics.SOURCE, "etc/mtad.yaml")
WRONG = [
    ("hostnam: x.example\n", "1:1", "did you mean 'hostname'"),
    ("hostname: a.example\nlisteners:\n  - {adress: '127.0.0.1:1'}\n",
     "3:6", "did you mean 'address'"),
    ("hostname: a.example\nhostname: b.example\n", "2:1", "hostname"),
    ("limits: {hops: many}\n", "1:16", "many"),
    ("limits: {hops: -1}\n", "1:16", "-1"),
    ("limits: 7\n", "1:9", "limits"),
    ("queue: {first_retry: 5 parsecs}\n", "1:22", "parsecs"),
    ("relay: {networks: [10.0.0.0/33]}\n", "1:20", "10.0.0.0/33"),
    ("relay: {networks: [10.0.0.1/8]}\n", "1:20", "10.0.0.1/8"),
    ("routes: [{to: '*', via: 'http://x'}]\n", "1:25", "http"),
    ("listeners: [{address: '127.0.0.1:99999'}]\n", "1:23", "99999"),
    ("log: {level: loud}\n", "1:14", "loud"),
    ("hostname: [a\n", "2:1", ""),
    ("hostname: \"a\n", "2:1", ""),
    ("- a\n- b\n", "1:1", ""),
    ("a: &x [1]\nb: *x\n", "", "a"),
    ("hostname: a\tb\n", "1:11", ""),
]


def mutations(text, count, seed):
    """Broken copies of a file: bits, bytes, lines and pieces of it."""
    chance = random.Random(seed)
    lines = text.splitlines(keepends=True)
    for _ in range(count):
        data = bytearray("".join(lines).encode())
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            kind = chance.randrange(6)
            if kind == 0:
                data[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                del data[at:at + chance.randint(1, 200)]
            elif kind == 2:
                data[at:at] = chance.choice(
                    [b"{", b"}", b"[", b"]", b": ", b"\n", b"\t", b"&a ",
                     b"*a", b"!!", b"\0", b"\xff", b"- ", b"'", b"%",
                     b"9" * 30, b"[" * 300, b"{a: " * 300])
            elif kind == 3:
                del data[at:]
            elif kind == 4:
                piece = bytes(data[at:at + chance.randint(1, 300)])
                data[at:at] = piece
            else:
                data[at:at + 1] = bytes([chance.randrange(256)])
            if not data:
                data = bytearray(b"\n")
        yield bytes(data)


class Check(unittest.TestCase):
    """mtad -t"""

    def setUp(self):
        self.relay = relay.Relay(1, start=False)
        self.addCleanup(self.relay.remove)

    def check(self, *words, data=None, seconds=10):
        if data is not None:
            with open(self.relay.config_path, "wb") as f:
                f.write(data)
        return subprocess.run(
            self.relay.command("mtad", "-t", *words), capture_output=True,
            timeout=seconds, check=False)

    def test_good(self):
        p = self.check()
        self.assertEqual((p.returncode, p.stderr), (0, b""))
        self.assertIn(b"valid", p.stdout)
        self.assertEqual(os.listdir(self.relay.folder), ["mtad.yaml"])

    def test_wrong(self):
        """Place and suggestion; nothing on standard output; code 1."""
        for text, place, word in WRONG:
            with self.subTest(text):
                p = self.check(data=text.encode())
                said = p.stderr.decode()
                self.assertEqual(p.returncode, 1, said)
                self.assertIn(f"mtad.yaml:{place}", said)
                self.assertIn(word, said)
                self.assertEqual(p.stdout, b"")

    def test_all_at_once(self):
        p = self.check(data=b"hostnam: x\nlimits: {hops: z, errrors: 1}\n"
                       b"log: {level: 9}\n")
        said = p.stderr.decode()
        for place in ("1:1", "2:16", "2:19", "3:14"):
            self.assertIn(f"mtad.yaml:{place}", said)

    def test_unreadable(self):
        os.unlink(self.relay.config_path)
        for make in (lambda p: None, os.mkdir, os.mkfifo):
            with self.subTest(make):
                make(self.relay.config_path)
                p = self.check()
                self.assertEqual(p.returncode, 1)
                self.assertIn(b"mtad.yaml", p.stderr)
                if os.path.isdir(self.relay.config_path):
                    os.rmdir(self.relay.config_path)

    def test_bombs(self):
        """Aliases, depth, size: refused, within a moment."""
        laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n"
        for i in range(1, 12):
            name, before = "abcdefghijklm"[i], "abcdefghijklm"[i - 1]
            laughs += f"{name}: &{name} [" + ", ".join(
                [f"*{before}"] * 9) + "]\n"
        for data in (laughs.encode(), b"[" * 100000, b"{a: " * 50000,
                     b"hostname: " + b"x" * 10_000_000,
                     b"#" * 10_000_000, b"\n" * 10_000_000,
                     b"".join(b"k%d: 1\n" % i for i in range(200000)),
                     b"\0" * 1000, b"\xff" + os.urandom(100000)):
            with self.subTest(data[:30]):
                p = self.check(data=data, seconds=5)
                self.assertEqual(p.returncode, 1)
                self.assertLess(len(p.stderr), 300_000)

    def test_mutilated(self):
        """500 broken files: an answer with a place, never a crash."""
        with open(SAMPLE, encoding="utf-8") as f:
            sample = f.read()
        own = "".join(f"{key}: {json.dumps(value)}\n"
                      for key, value in self.relay.config.items())
        for i, data in enumerate((*mutations(own, 250, 48),
                                  *mutations(sample, 250, 49))):
            p = self.check(data=data)
            self.assertIn(p.returncode, (0, 1), (i, data[:100], p.stderr))
            if p.returncode:
                self.assertTrue(p.stderr, i)
            for word in relay.REPORTS:
                self.assertNotIn(word.encode(), p.stderr)

    def test_port_in_use(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", self.relay.port))
            s.listen()
            for words in (("-t",), ()):
                p = subprocess.run(self.relay.command("mtad", *words),
                                   capture_output=True, timeout=10,
                                   check=False)
                self.assertEqual(p.returncode, 1)
                self.assertIn(f"127.0.0.1:{self.relay.port}".encode(),
                              p.stderr)
                self.assertIn(b"in use", p.stderr)

    def test_usage(self):
        for words, code in ((("-x",), 2), (("-c",), 2), (("-h",), 0),
                            (("stray",), 2)):
            p = subprocess.run([os.path.join(basics.BIN, "mtad"), *words],
                               capture_output=True, timeout=10, check=False)
            self.assertEqual(p.returncode, code, words)
            self.assertIn(b"usage", p.stdout + p.stderr)


class Running(unittest.TestCase):
    def setUp(self):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port)
        self.addCleanup(self.relay.remove)

    def tearDown(self):
        self.relay.stop()

    def reload(self, code=0):
        p = self.relay.try_ctl("reload")
        self.assertEqual(p.returncode, code, p.stderr)
        return p.stderr

    def text(self):
        with open(self.relay.config_path, encoding="utf-8") as f:
            return f.read()

    def test_bad_reload_keeps_the_old(self):
        """By mtactl, which says where, and by SIGHUP, which logs it."""
        good = self.text()
        with self.relay.connect() as c:
            c.hello()
            for text, place, _ in WRONG[:12]:
                self.relay.write(f"{text}runtime: run\n")
                self.assertIn(place, self.reload(4))
            self.relay.write("")            # cut by an editor, not meant
            self.relay.process.send_signal(signal.SIGHUP)
            self.relay.wait_log("is empty")
            self.relay.write("# nothing but words\n---\n")
            self.relay.process.send_signal(signal.SIGHUP)
            basics.wait_for("the second is refused, too", lambda:
                            self.relay.log().count("is empty") == 2)
            os.unlink(self.relay.config_path)
            self.relay.process.send_signal(signal.SIGHUP)
            self.relay.wait_log("No such file")
            c.mail("a@sender.example", ["b@served.example"], b"x\r\n")
        self.relay.write(good)
        self.reload()
        self.relay.send()
        self.relay.wait_empty()

    def test_never_open_by_error(self):
        """A broken file does not let strangers relay."""
        self.relay.write(self.text().replace(
            "relay: {", "relay: {networks: [0.0.0.0/0], "))
        self.reload(4)
        with self.relay.connect(source="127.0.0.9") as c:
            c.hello()
            c.expect("MAIL FROM:<a@sender.example>", 250)
            c.expect("RCPT TO:<b@elsewhere.example>", 550)

    def test_values_change(self):
        self.relay.configure(limits={"message": "1KiB"},
                             hostname="other.example.org")
        self.reload()
        with self.relay.connect() as c:
            self.assertIn("other.example.org", str(c.greeting))
            self.assertEqual(c.extensions()["SIZE"], "1024")

    def test_listeners_come_and_go(self):
        """The sessions of one that goes stay."""
        second = basics.free_ports(1)[0]
        first = self.relay.port
        rows = [{"address": f"127.0.0.1:{p}"} for p in (first, second)]
        self.relay.configure(listeners=rows)
        self.reload()
        self.relay.port = second
        session = self.relay.connect()
        session.hello()
        self.relay.configure(listeners=rows[:1])
        self.reload()
        basics.wait_for("the port is closed", lambda: self.refused(second))
        session.mail("a@sender.example", ["b@served.example"], b"x\r\n")
        session.close()
        self.relay.port = first
        self.relay.send()

    def refused(self, port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) != 0

    def test_busy_port_at_reload(self):
        """Says so, and keeps all as it was."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            self.relay.configure(listeners=[
                {"address": f"127.0.0.1:{self.relay.port}"},
                {"address": f"127.0.0.1:{port}"}])
            self.assertIn(str(port), self.reload(4))
        self.relay.send()

    def test_reloads_while_mail_flows(self):
        """Good and bad ones: no session is dropped, nothing is lost."""
        done = threading.Event()
        good = self.text()

        def operate():
            i = 0
            while not done.is_set():
                i += 1
                self.relay.write(good if i % 2 else f"{good}hostnam: x\n")
                self.relay.process.send_signal(signal.SIGHUP)
                time.sleep(0.01)

        thread = threading.Thread(target=operate)
        thread.start()
        try:
            with self.relay.connect() as c:
                c.hello()
                for i in range(300):
                    c.mail("a@sender.example", [f"u{i}@served.example"],
                           b"x\r\n")
        finally:
            done.set()
            thread.join()
        self.relay.wait_empty()
        self.assertEqual(sorted(m.recipients[0] for m in self.hop.messages),
                         sorted(f"u{i}@served.example" for i in range(300)))

    def test_second_instance(self):
        """Refused in words, whether runtime or only the spool is shared; the
        first one does not notice."""
        same = subprocess.run(self.relay.command("mtad"),
                              capture_output=True, timeout=20, check=False)
        self.assertEqual(same.returncode, 1)
        self.assertIn(b"runs already", same.stderr)
        other = relay.Relay(1, start=False, folder=self.relay.folder)
        other.config_path += ".other"
        other.log_path += ".other"
        other.configure(runtime="run2")
        p = subprocess.run(other.command("mtad"), capture_output=True,
                           timeout=20, check=False)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"spool", p.stderr)
        self.relay.send()

    def test_check_beside_the_running_one(self):
        p = subprocess.run(self.relay.command("mtad", "-t"),
                           capture_output=True, timeout=10, check=False)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertIn("no errors", self.relay.ctl("config", "check"))
        self.relay.send()

    def test_log_file_is_reopened(self):
        """SIGUSR1, for logrotate: all processes write to the new file."""
        path = os.path.join(self.relay.folder, "mail.log")
        self.relay.configure(log={"file": path})
        self.reload()
        self.relay.send()
        self.relay.wait_empty()
        os.rename(path, path + ".1")
        self.relay.process.send_signal(signal.SIGUSR1)
        basics.wait_for("a new file", lambda: os.path.exists(path))
        time.sleep(0.2)
        old = os.path.getsize(path + ".1")
        self.relay.send()
        self.relay.wait_empty()
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn("accepted", text)
        self.assertIn("delivered", text)
        self.assertEqual(os.path.getsize(path + ".1"), old)

    def test_stop(self):
        """S5321-32: idle clients get 421; what is in hand is finished; the
        end comes within seconds."""
        idle = [self.relay.connect() for _ in range(20)]
        busy = self.relay.connect()
        busy.hello()
        busy.expect("MAIL FROM:<a@sender.example>", 250)
        busy.expect("RCPT TO:<b@served.example>", 250)
        busy.expect("DATA", 354)
        start = time.monotonic()
        self.relay.process.send_signal(signal.SIGTERM)
        for c in idle:
            reply = c.reply()
            self.assertEqual((reply.code, reply.status), (421, "4.3.2"))
            self.assertTrue(c.is_closed())
        busy.send(b"x\r\n.\r\n")
        self.assertEqual(busy.reply().code, 250)
        self.assertEqual(self.relay.process.wait(20), 0)
        self.assertLess(time.monotonic() - start, 5)
        self.relay.start()
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 1)


if __name__ == "__main__":
    basics.main()
