"""Attacks on smtpd that need a whole server, none of which waits long: what
it must answer, and what may be left of it.  Others have scripts of their own;
docs/REQUIREMENTS.md tells which."""
import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, nexthop, relay, report

STRANGER = "127.0.0.9"
REFUSED = b"550 5.1.1 no such user\r\n"


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f
                   if line.startswith("Private_"))


@contextlib.contextmanager
def frozen(pid):
    """That process does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Attacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hop = nexthop.NextHop()
        cls.relay = relay.Relay(cls.hop.port, limits={
            "errors": 20, "recipients": 1000, "message": "1MiB"})
        cls.smtpd = cls.relay.pids("smtpd")[0]

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.hop.close()

    def setUp(self):
        self.hop.script = {}

    def memory(self):
        """Sanitizers keep what was freed."""
        return 0 if basics.IS_SANITIZED else private_kib(self.smtpd)

    def open_transaction(self, c):
        c.hello()
        c.expect("MAIL FROM:<a@sender.example>", 250)
        c.expect("RCPT TO:<b@served.example>", 250)

    # -- lines --------------------------------------------------------------
    def test_lines_without_an_end(self):
        """T04: no verb with a CR or LF alone behind it, or in it, is
        executed: 500 5.5.2, and what was said before still stands."""
        verbs = (b"EHLO c.example", b"HELO c.example", b"RSET", b"QUIT",
                 b"DATA", b"BDAT 6 LAST", b"RCPT TO:<evil@served.example>",
                 b"MAIL FROM:<evil@sender.example>", b"NOOP", b"VRFY x",
                 b"STARTTLS", b"AUTH PLAIN AAA=", b"ETRN x", b"HELP", b"EXPN x")
        seen = len(self.hop.messages)
        for end in (b"\n", b"\r", b"\n\r", b"\r\r\n", b"\n\r\n"):
            for verb in verbs:
                with self.subTest(verb=verb, end=end), \
                        self.relay.connect() as c:
                    self.open_transaction(c)
                    c.send(verb + end + b"NOOP x\r\n")
                    reply = c.reply()
                    self.assertEqual((reply.code, reply.status),
                                     (500, "5.5.2"))
                    if end.endswith(b"\r\n"):
                        self.assertEqual(c.reply().code, 250)
                    c.expect("RCPT TO:<c@served.example>", 250)
                    c.expect("DATA", 354)
        self.assertEqual(self.hop.messages[seen:], [])

    def test_http(self):
        """T07: whatever request a browser is made to send, no command inside
        of it is executed; it gets 521 or 554 at once, and that is the end."""
        hidden = (b"Host: relay.example.org\r\nContent-Length: 300\r\n\r\n"
                  b"EHLO x.example\r\nMAIL FROM:<a@sender.example>\r\n"
                  b"RCPT TO:<evil@served.example>\r\nDATA\r\nx\r\n.\r\n")
        for verb in (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT",
                     b"DELETE", b"PATCH", b"TRACE", b"PROPFIND", b"M-SEARCH", b"x"):
            for target in (b"/", b"http://relay.example.org:25/x", b"*"):
                with self.subTest(verb=verb), self.relay.connect() as c:
                    c.send(verb + b" " + target + b" HTTP/1.1\r\n" + hidden)
                    self.assertTrue(c.is_closed())
                    self.assertRegex(c.pending, rb"\A5(21|54) [^\n]*\r\n\Z")

    def test_early_talker(self):
        """T08: a stranger who has spoken before the greeting gets 554 5.5.1
        and nothing else; a client of ours its replies, in order."""
        for source, code in ((STRANGER, 554), (None, 220)):
            with frozen(self.smtpd):
                c = self.relay.connect(source=source, has_greeting=False)
                c.send(b"EHLO early.example\r\nNOOP\r\n")
            with self.subTest(source), c:
                self.assertEqual(c.reply().code, code)
                if code == 554:
                    self.assertEqual(c.replies[-1].status, "5.5.1")
                    self.assertTrue(c.is_closed())
                    self.assertEqual(c.pending, b"")
                else:
                    self.assertEqual([c.reply().code, c.reply().code],
                                     [250, 250])

    # -- without end --------------------------------------------------------
    def push(self, c, piece, most):
        """Sends PIECE again and again, each time when smtpd is idle, until it
        says something; how many octets that took."""
        sent = 0
        while c.is_silent(0.004) and sent < most:
            try:
                c.send(piece)
            except OSError:
                break
            sent += len(piece)
        return sent

    def test_without_end(self):
        """T09: a line, a message and a chunk that never end are cut off: a
        line within 64 KiB, content within twice its limit; smtpd keeps
        nothing of them."""
        before = self.memory()
        stages = ((b"", b"x" * 4096, 80 << 10),
                  (b"DATA\r\n", b"y" * 65536, (2 << 20) + (256 << 10)),
                  (b"BDAT 99999999999999\r\n", b"z" * 65536, 128 << 10))
        for begin, piece, most in stages:
            with self.subTest(begin), self.relay.connect() as c:
                self.open_transaction(c)
                c.send(begin)
                if begin.startswith(b"DATA"):
                    self.assertEqual(c.reply().code, 354)
                sent = self.push(c, piece, 2 * most)
                if not begin:
                    self.assertEqual(c.reply().code, 500)
                    sent += self.push(c, piece, 2 * most)
                self.assertEqual(c.reply().code, 421)
                self.assertTrue(c.is_closed())
                self.assertLessEqual(sent, most)
        self.assertLess(self.memory() - before, 1024)

    def test_tiny_chunks(self):
        """T09: a million chunks of one octet are cut off; also those that
        are refused."""
        before = self.memory()
        for has_mail in (True, False):
            with self.subTest(has_mail), self.relay.connect() as c:
                if has_mail:
                    self.open_transaction(c)
                done = 0
                try:
                    while done < 1000000:
                        c.send(b"BDAT 1\r\nx" * 100)
                        done += 100
                        for _ in range(100):
                            if c.reply().code == 421:
                                raise client.Closed
                except (client.Closed, OSError):
                    pass
                self.assertEqual(c.replies[-1].code, 421)
                self.assertLess(done, 1000)
        self.assertLess(self.memory() - before, 1024)

    def test_floods(self):
        """T12: a thousand of each command that brings no mail: 421 4.7.0
        after the budget of them and of errors, never an endless dialogue."""
        for text in ("NOOP", "RSET", "VRFY x", "HELP", "HELO c.example",
                     "EHLO c.example", "XNOPE", "EXPN x", "DATA", "MAIL x",
                     "RCPT TO:<b@served.example>", "STARTTLS x", "QUIT x"):
            with self.subTest(text), self.relay.connect() as c:
                c.hello()
                try:
                    c.send(f"{text}\r\n" * 1000)
                    while c.reply().code != 421:
                        pass
                except (client.Closed, OSError):
                    pass
                self.assertEqual((c.replies[-1].code, c.replies[-1].status),
                                 (421, "4.7.0"))
                self.assertLessEqual(len(c.replies), 123)

    # -- recipients ---------------------------------------------------------
    def test_many_recipients(self):
        """T13: of 100,000 recipients the first thousand are taken, the rest
        is told so, in one session and within bounded memory; those stay."""
        before = self.memory()
        with self.relay.connect(source=STRANGER) as c:
            c.hello()
            c.expect("MAIL FROM:<a@sender.example>", 250)
            codes = []
            for i in range(100):
                c.send("".join(f"RCPT TO:<r{i}.{j}@served.example>\r\n"
                               for j in range(1000)))
                codes += [c.reply().code for _ in range(1000)]
            self.assertEqual(codes, [250] * 1000 + [452] * 99000)
            self.assertLess(self.memory() - before, 1024)
            self.assertEqual(c.content(b"x\r\n").code, 250)
        self.relay.wait_empty()
        self.assertEqual(sum(len(m.recipients) for m in self.hop.messages
                             if m.recipients[0].startswith("r0.")), 1000)

    def test_harvest(self):
        """T13: nothing tells a stranger who exists: VRFY, EXPN and RCPT
        answer all alike, and so does what is asked next."""
        names = ("root", "postmaster1", "bob", "no-such-user", "a.b.c", "x")
        for template in ("VRFY {}@served.example", "EXPN {}",
                         "RCPT TO:<{}@served.example>",
                         "RCPT TO:<{}@elsewhere.example>"):
            with self.subTest(template), \
                    self.relay.connect(source=STRANGER) as c:
                c.hello()
                c.expect("MAIL FROM:<a@sender.example>", 250)
                heard = {str(c.command(template.format(n))) for n in names}
                self.assertEqual(len(heard), 1, heard)

    # -- injection ----------------------------------------------------------
    def test_parameters_are_no_lines(self):
        """T16: line ends and NUL inside xtext, or anything that is no xtext,
        are refused, so they can't become lines of a report."""
        values = ("+0D+0AX:", "a+0Ab", "a+00b", "a+7Fb", "a+1Bb", "a+80b",
                  "a=b", "a+b", "a+2", "a+2b", "+", "a\tb", "a\x01", "a\xff")
        with self.relay.connect() as c:
            for value in values:
                c.hello()
                with self.subTest(value):
                    c.expect(f"MAIL FROM:<a@sender.example> ENVID={value}",
                             501)
                    c.expect("MAIL FROM:<a@sender.example>", 250)
                    c.expect("RCPT TO:<b@served.example> ORCPT=rfc822;"
                             f"{value}", 501)
                # each message forgives what was wrong before it
                c.expect("RSET", 250)
                c.mail("a@sender.example", ["x@served.example"], b"x\r\n")

    def test_report_of_hostile_words(self):
        """T16: all that a client may say of itself and of its mail, and that
        comes back in a report, is a word there: as many header fields and
        groups as in a report of a tame message."""
        self.relay.wait_empty()
        self.hop.script = {"RCPT": lambda text, _: REFUSED
                           if "@served" in text else None}
        seen = len(self.hop.messages)
        with self.relay.connect() as c:
            c.hello("(comment)Subject:evil")
            c.expect('MAIL FROM:<"a\\"Bcc: x"@sender.example> '
                     "ENVID=a+2BAction:+3Ddelivered RET=HDRS", 250)
            c.expect('RCPT TO:<"x\\\\y;Status: 2.0.0"@served.example> '
                     "ORCPT=rfc822;Bcc:+3Bz+2B", 250)
            self.assertEqual(c.content(
                b"Subject: =?utf-8?q?=0D=0AX:?=\r\nX: y\r\n\r\nz\r\n").code,
                250)
        self.relay.wait_empty()
        message, = [m for m in self.hop.messages[seen:] if m.sender == ""]
        found = report.Report(message)
        self.assertEqual(len(found.mail.keys()), len(set(found.mail.keys())))
        self.assertIsNone(found.mail["Bcc"])
        self.assertEqual(len(found.groups), 1)
        self.assertEqual(found.groups[0]["Action"], "failed")
        self.assertEqual(found.about["Original-Envelope-Id"],
                         "a+Action:=delivered")


class Logs(unittest.TestCase):
    def test_json(self):
        """T17: in JSON, too, one record a line, each of them parsed, of at
        most 2 KiB, whatever clients say."""
        with nexthop.NextHop(RCPT=b"550 5.1.1 \x1b[31m\"}\xe2\x80\xae\r\n") \
                as hop, relay.Relay(hop.port, log={"format": "json",
                                                   "level": "debug"}) as r:
            with r.connect() as c:
                c.command(b"X" * 60000)
                for text in ("EHLO a\",\"event\":\"x", "EHLO \x1b]0;evil\x07",
                             "EHLO " + "\\" * 450, "MAIL FROM:<\"a\\\n",
                             "MAIL FROM:<a\u2028b@sender.example>".encode(),
                             b"NOOP " + b"\xe2\x80\xae" * 150,
                             b"\0" * 400, b"{\"a\":1}"):
                    c.command(text)
                c.hello()
                c.mail('"\\"}{\\\\"@sender.example',
                       ['"x\\"\\\\ y"@served.example'],
                       b"Subject: \"}\r\n\r\n" + b"x" * 900 + b"\r\n")
            with r.connect() as c:
                c.send(b"X" * 100000)
                self.assertTrue(c.is_closed())
            r.wait_empty()
            text = r.log()
        lines = text.splitlines()
        self.assertGreater(len(lines), 10)
        for line in lines:
            self.assertRegex(line, r"\A[ -~]+\Z")
            self.assertLessEqual(len(line), 2048)
            record = json.loads(line)
            self.assertIsInstance(record, dict)
            self.assertEqual(len(re.findall(r'"event":', line)), 1, line)


class Peaks(threading.Thread):
    """The most private memory that each process has meanwhile, in KiB."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.most = dict.fromkeys(pids, 0)
        self.is_over = threading.Event()
        self.start()

    def run(self):
        while not self.is_over.wait(0.02):
            for pid in self.most:
                self.most[pid] = max(self.most[pid], private_kib(pid))

    def stop(self):
        self.is_over.set()
        self.join()
        return self.most


class Hole(threading.Thread):
    """A next hop that keeps nothing; it refuses RCPT TO:<x...>."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.socket.close()

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,),
                             daemon=True).start()

    def serve(self, peer):
        with peer, peer.makefile("rb", 1 << 18) as lines:
            peer.sendall(b"220 hole.example ESMTP\r\n")
            for line in lines:
                verb = line[:4].upper()
                peer.sendall(
                    b"354 go on\r\n" if verb == b"DATA" else
                    REFUSED if b"TO:<x" in line else b"250 2.0.0 ok\r\n")
                if verb == b"DATA":
                    self.swallow(lines)
                    peer.sendall(b"250 2.0.0 gone\r\n")

    @staticmethod
    def swallow(lines):
        tail = b"\r\n"
        while not tail.endswith(b"\r\n.\r\n"):
            tail = tail[-5:] + lines.read1(1 << 18)


@unittest.skipIf(basics.IS_SANITIZED, "sanitizers keep what was freed")
class Bombs(unittest.TestCase):
    UNITS = (b"A: b\r\n", b" folded\r\n", b"x", b"To: a@b.example,\r\n",
             b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n")

    def test_memory(self):
        """T21, I-04: no process has more memory for 16 MiB of header than
        for 4 MiB, whether it is delivered or comes back in a report."""
        hole = Hole()
        self.addCleanup(hole.close)
        with relay.Relay(hole.port) as r:
            pids = [r.pids(name)[0] for name in ("smtpd", "queued",
                                                 "deliverd")]
            most = []
            for size in (4 << 20, 4 << 20, 16 << 20):
                peaks = Peaks(pids)
                for unit in self.UNITS:
                    content = unit * (size // len(unit)) + b"\r\n"
                    r.send(content, to=["b@served.example",
                                        "x@served.example"])
                    r.wait_empty()
                most.append(peaks.stop())
            # what kept the header would have 12 MiB more of it; how many
            # buffers are in use at a time is worth 3 MiB
            for pid in pids:
                self.assertLess(most[2][pid] - most[1][pid], 4096, most)


class Loops(unittest.TestCase):
    """T22: two relays that send everything to each other."""

    def ring(self, sender, reports, first="first.example.org", **limits):
        """How often a message went round, how many reports came of it."""
        ports = basics.free_ports(2)
        with contextlib.ExitStack() as stack:
            both = []
            for i in range(2):
                routes = [{"to": "*",
                           "via": f"smtp://127.0.0.1:{ports[1 - i]}"}]
                if reports is not None:
                    routes.insert(0, {
                        "from": "<>",
                        "via": f"smtp://127.0.0.1:{reports.port}"})
                r = relay.Relay(start=False, routes=routes, limits=limits,
                                hostname=(first, "relay.example.org")[i],
                                listeners=[
                                    {"address": f"127.0.0.1:{ports[i]}"}])
                r.port = ports[i]
                stack.callback(r.remove)
                both.append(r)
            for r in both:
                r.start()
            both[0].send(sender=sender)
            before = None

            def rests():
                """Counted one after the other, both may be empty while it
                moves on: so the logs must not have grown either."""
                nonlocal before
                is_empty = not any(r.count() for r in both)
                seen, before = before, [len(r.log()) for r in both]
                return is_empty and seen == before
            basics.wait_for("it stops", rests, 60, 0.2)
            for r in both:
                r.stop()
            log = both[0].log() + both[1].log()
        return log.count(" delivered "), log.count(" reported ")

    def test_ring(self):
        """It is stopped within 100 hops, or 25 of our own, with one
        report."""
        for keys, least, most in (({"own_hops": 1000, "first":
                                    "relay.example.org"}, 99, 103),
                                  ({}, 49, 51)):
            with nexthop.NextHop() as reports:
                hops, told = self.ring("from@sender.example", reports,
                                       **keys)
                self.assertLessEqual(hops, most)
                self.assertGreaterEqual(hops, least)
                self.assertEqual(told, 1)
                self.assertEqual(len(reports.messages), 1)
                found = report.Report(reports.messages[0])
                self.assertEqual(found.groups[0]["Status"], "5.4.6")

    def test_ring_of_reports(self):
        """A report that goes round as well ends without another one."""
        hops, told = self.ring("from@sender.example", None)
        self.assertLessEqual(hops, 102)
        self.assertLessEqual(told, 2)
        self.assertEqual(self.ring("", None)[1], 0)


class Backscatter(unittest.TestCase):
    def test_no_reports_to_nobody(self):
        """T23, I-08: what strangers may not send is refused at RCPT, and a
        thousand undeliverable messages of nobody make no report at all; one
        of a sender makes one, however many of its recipients are refused."""
        with nexthop.NextHop(RCPT=lambda text, _: REFUSED
                             if "@served" in text else None) as hop, \
                relay.Relay(hop.port) as r:
            with r.connect(source=STRANGER) as c:
                c.hello()
                c.expect("MAIL FROM:<forged@victim.example>", 250)
                c.expect("RCPT TO:<x@elsewhere.example>", 550)
                c.expect("RSET", 250)
                for i in range(1000):
                    c.send(b"MAIL FROM:<>\r\nRCPT TO:<u%d@served.example>\r\n"
                           b"DATA\r\n" % i)
                    self.assertEqual([c.reply().code for _ in range(3)],
                                     [250, 250, 354])
                    c.send(b"x\r\n.\r\n")
                    self.assertEqual(c.reply().code, 250)
                c.mail("forged@victim.example", [
                    f"v{i}@served.example" for i in range(100)], b"x\r\n")
            r.wait_empty(60)
            self.assertEqual(r.log().count(" reported "), 1)
            self.assertEqual([m.recipients for m in hop.messages],
                             [["forged@victim.example"]])


if __name__ == "__main__":
    basics.main()
