"""Next hops that misbehave, many at a time: who gets the message, who is told,
what is tried again, and what it costs us (C5321-04 to -16, -30 to -39, NH-*,
PIPE-07 to -11, T29, T32, T33).

Each case has a next hop and a domain of its own behind one relay, so that all
of them run at once."""
import itertools
import os
import random
import re
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, nexthop, relay
from support.nexthop import CLOSE, HANG, REPLIES, RESET

SHORT = {"connect_timeout": "1s", "reply_timeout": "1s", "data_timeout": "1s",
         "final_timeout": "1s", "idle_timeout": "200ms"}
LONG = {"idle_timeout": "200ms"}        # where no time may run out
QUICK = {"first_retry": "300ms", "max_retry": "300ms"}
STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")
EHLO = (b"250-hop.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
        b"250 SIZE\r\n", b"250-hop.example\r\n250 SIZE\r\n")
# What is freed lies in ASan's quarantine, and is not memory that grows; its own
# blocks for each size are half full, the more the busier the machine is.
if basics.IS_SANITIZED:
    os.environ["ASAN_OPTIONS"] = (os.environ.get("ASAN_OPTIONS", "") +
                                  ":quarantine_size_mb=4").lstrip(":")
MEMORY = 65536 if basics.IS_SANITIZED else 8192         # KiB
LOST = b"550 5.1.1 nobody\r\n"


class Case:
    """A next hop that does `fault` once at `stage`, then behaves well."""

    def __init__(self, name, **script):
        self.name = name
        self.domain = f"{name}.example"
        self.once = {stage: [action] for stage, action in script.items()}
        self.hop = nexthop.NextHop(**{
            stage: self.action(stage) for stage in REPLIES})

    def action(self, stage):
        def act(subject, session):
            left = self.once.get(stage)
            if stage == "RCPT" and "lost" in subject:
                return LOST
            action = left.pop() if left else None
            return action(subject, session) if callable(action) else action
        return act

    def got(self):
        """How often each recipient got the message."""
        count = {}
        for message in self.hop.messages:
            for recipient in message.recipients:
                count[recipient] = count.get(recipient, 0) + 1
        return count


class Slowly:
    """A socket that sends octet by octet."""

    def __init__(self, peer):
        self.recv, self.sendall_at_once = peer.recv, peer.sendall

    def sendall(self, data):
        for octet in data:
            self.sendall_at_once(bytes([octet]))
            time.sleep(0.002)


class Cases(unittest.TestCase):
    """Makes the cases, sends each a message to `a`, `lost` and `b` of its
    domain, and waits for the end."""

    def run_cases(self, cases, content=b"Subject: x\r\n\r\nbody\r\n",
                  times=SHORT):
        self.relay = relay.Relay(
            deliver=times, queue=QUICK,
            routes=[{"to": c.domain, "via": f"smtp://127.0.0.1:{c.hop.port}"}
                    for c in cases])
        self.addCleanup(self.relay.remove)
        for case in cases:
            self.addCleanup(case.hop.close)
        self.before = self.relay.memory_kib()
        with self.relay.connect() as c:
            c.hello()
            for case in cases:
                case.id = c.mail("", [f"{name}@{case.domain}" for name in
                                      ("a", "lost", "b")], content)
        try:
            self.relay.wait_empty()
        except AssertionError:
            print(self.relay.list(), self.relay.log_tail(200))
            raise
        self.lines = self.relay.log().splitlines()
        self.growth = self.relay.memory_kib() - self.before
        self.relay.stop()

    def events(self, case, name):
        """What became of that recipient, attempt by attempt."""
        mark = f" id={case.id} to=<{name}@{case.domain}>"
        words = [line.partition(mark)[0].split()[-1] for line in self.lines
                 if mark in line]
        return [w for w in words if w not in ("accepted", "discarded")]

    def check(self, cases, content=None):
        for case in cases:
            with self.subTest(case.name):
                self.assertEqual(case.got(), {
                    f"{name}@{case.domain}": 1 for name in "ab"})
                for name in "ab":
                    self.assertEqual(self.events(case, name)[-1],
                                     "delivered")
                self.assertNotIn("delivered", self.events(case, "lost"))
                self.assertIn("bounced", self.events(case, "lost"))
                for message in case.hop.messages:
                    if content:
                        self.assertEqual(message.below, content)


class Faults(Cases):
    def test_every_stage(self):
        """T32, C5321-32, -36, -38: hangs, ends, half ends, resets and refusals
        of every kind, with and without PIPELINING: in the end the two good
        recipients have the message once, and the bad one has not."""
        def say_no_more(_, session):
            session.peer.shutdown(socket.SHUT_WR)
            return HANG

        faults = {"hang": HANG, "close": CLOSE, "reset": RESET,
                  "half-close": say_no_more,
                  "421": b"421 4.3.2 later\r\n", "451": b"451 4.3.0 no\r\n",
                  "478": b"478\r\n", "half": b"25"}
        cases = []
        for stage, (word, fault), (i, ehlo) in itertools.product(
                STAGES, faults.items(), enumerate(EHLO)):
            case = Case(f"{stage}-{word}-{i}".lower(), **{stage: fault})
            if stage != "EHLO":
                case.hop.script["EHLO"] = ehlo
            cases.append(case)
        self.run_cases(cases)
        self.check(cases)
        self.assertLess(self.growth, MEMORY)
        for case in cases:
            with self.subTest(case.name):
                if case.name.startswith("dot-h"):
                    self.assertIn(self.events(case, "a")[0],
                                  ("in_doubt", "deferred"))
                    self.assertIn("doubt", "\n".join(
                        line for line in self.lines if case.id in line))
                for session in case.hop.sessions:
                    self.assertNotIn("421", session.stages)

    def test_refused_for_good(self):
        """C5321-36, C5321-37, PIPE-09: 5yz to the sender, to the data or to
        the end fails every recipient, once; before the first mail it says
        nothing about any of them."""
        cases = [Case(f"{stage}-{i}".lower(), **{stage: b"554 5.7.1 no\r\n"})
                 for stage in STAGES for i in range(2)]
        for case in cases:
            if case.name.endswith("1") and "ehlo" not in case.name:
                case.hop.script["EHLO"] = EHLO[1]
        self.run_cases(cases, times=LONG)
        for case in cases:
            with self.subTest(case.name):
                stage = case.name[:-2]
                if stage in ("greeting", "ehlo"):
                    self.check([case])
                    continue
                got = {} if stage != "rcpt" else {f"b@{case.domain}": 1}
                self.assertEqual(case.got(), got)
                self.assertEqual(self.events(case, "a")[0], "bounced")
                self.assertNotIn("deferred", self.events(case, "a"))
                self.assertEqual(len(case.hop.sessions), 1)

    def test_odd_but_right(self):
        """C5321-08 to -10, PIPE-08: codes nobody knows, no words at all,
        many lines, one octet at a time."""
        cases = []
        for stage in STAGES:
            code = {b"2": b"2", b"3": b"3"}[REPLIES[stage][:1]]
            for word, reply in {
                    "bare": REPLIES[stage][:3] + b"\r\n",
                    "blank": REPLIES[stage][:3] + b" \r\n",
                    "unknown": code + b"99 what\r\n",
                    "lines": REPLIES[stage][:3] + b"-a\r\n" +
                    REPLIES[stage][:3] + b"-550 b\r\n" +
                    REPLIES[stage][:3] + b"-\r\n" + REPLIES[stage][:3] +
                    b"\r\n"}.items():
                cases.append(Case(f"{stage}-{word}".lower(),
                                  **{stage: reply}))
        def by_octets(_, session):
            session.peer = Slowly(session.peer)

        slow = Case("slowly", greeting=by_octets)
        self.run_cases([*cases, slow], times=LONG)
        self.check([*cases, slow])
        for case in cases:
            with self.subTest(case.name):
                self.assertEqual(len(case.hop.sessions), 1)
                self.assertNotIn("deferred", self.events(case, "a"))

    def test_wrong_replies(self):
        """C5321-11, NH-03 to -06, T29: what is no reply, or not the one that
        was asked for, ends the connection; nobody's fate is shifted to
        another, and no content goes where it was not asked for."""
        cases = []
        for stage in STAGES:
            for i, reply in enumerate((
                    REPLIES[stage] + b"250 one more\r\n",
                    REPLIES[stage] + b"250 more\r\n" * 50,
                    b"250-a\r\n354 b\r\n", b"2\r\n", b"25\r\n", b"abc\r\n",
                    b"\r\n", b"\0\xff\xfe\r\n", b"999 x\r\n", b"100 x\r\n",
                    b"250~x\r\n", b"25\x00 x\r\n", b"-250 x\r\n",
                    b"250\tx\r\n", b" 250 x\r\n")):
                cases.append(Case(f"{stage}-{i}".lower(), **{stage: reply}))
        cases.append(Case("data-250", DATA=b"250 ok\r\n"))
        cases.append(Case("rcpt-354", RCPT=b"354 go\r\n"))
        cases.append(Case("mail-354", MAIL=b"354 go\r\n"))
        cases.append(Case("dot-354", dot=b"354 go\r\n"))
        self.run_cases(cases)
        for case in cases:
            with self.subTest(case.name):
                got = case.got()
                self.assertNotIn(f"lost@{case.domain}", got)
                for name in "ab":
                    self.assertEqual(self.events(case, name)[-1],
                                     "delivered")
                    # the reply to the dot may have been a good one, then
                    # nonsense: taken, and perhaps told
                    self.assertIn(got.get(f"{name}@{case.domain}", 0),
                                  (0, 1) if case.name.startswith("dot")
                                  else (1,))
                for message in case.hop.dotted:
                    self.assertTrue(message.wire or not message.recipients)


class InDoubt(unittest.TestCase):
    def test_policy(self):
        """The reply to the end was lost: by its route the message is tried
        again, and may come twice, or is held for somebody who knows."""
        hops = {word: nexthop.NextHop(dot=[RESET, None])
                for word in ("retry", "hold")}
        for hop in hops.values():
            self.addCleanup(hop.close)
        with relay.Relay(deliver=SHORT, queue=QUICK, routes=[
                {"to": f"{word}.example", "in_doubt": word,
                 "via": f"smtp://127.0.0.1:{hop.port}"}
                for word, hop in hops.items()]) as r:
            for word in hops:
                r.send(to=[f"u@{word}.example"])
            r.wait_count(1, "state:held")
            r.wait_count(1)
            self.assertEqual(len(hops["retry"].dotted), 2)
            self.assertEqual(len(hops["hold"].dotted), 1)
            self.assertEqual(r.log().count(' why="in doubt" next='), 1)
            self.assertEqual(r.log().count(' why="in doubt, held" '), 1)
            self.assertIn("it may have been delivered", r.ctl(
                "message", "explain", r.list()[0]["id"]))
            r.ctl("queue", "release", "all")
            r.wait_empty()
            self.assertEqual(len(hops["hold"].dotted), 2)


class Floods(Cases):
    """NH-01, NH-02: floods cost neither memory nor time."""

    def test_floods(self):
        piece = 1 << 16

        def pour(first, more):
            def act(_, session):
                session.peer.settimeout(5)
                session.peer.sendall(first)
                for _ in range((16 << 20) // piece):
                    session.peer.sendall(more)
                return CLOSE
            return act

        line = (b"", b"x" * piece)
        lines = (b"", b"250-x\r\n" * (piece // 7))
        words = (b"", b"250-" + b"y" * 400 + b"\r\n")
        cases = [Case(f"{stage}-{i}".lower(), **{stage: pour(*flood)})
                 for stage in (*STAGES, "QUIT")
                 for i, flood in enumerate((line, lines, words))]
        start = time.monotonic()
        self.run_cases(cases)
        self.check(cases)
        self.assertLess(time.monotonic() - start, 18)
        self.assertLess(self.growth, MEMORY)

    def test_drips(self):
        """A reply that never ends does not win time octet by octet."""
        def drip(_, session):
            for _ in range(300):
                session.peer.sendall(b"2")
                time.sleep(0.1)
            return CLOSE

        def drip_lines(_, session):
            for _ in range(300):
                session.peer.sendall(b"250-x\r\n")
                time.sleep(0.1)
            return CLOSE

        cases = [Case(f"{stage}-{i}".lower(), **{stage: fault})
                 for stage in STAGES for i, fault in
                 enumerate((drip, drip_lines))]
        start = time.monotonic()
        self.run_cases(cases)
        self.check(cases)
        self.assertLess(time.monotonic() - start, 15)

    def test_takes_nothing(self):
        """T32: a next hop that stops reading in the middle of a message, or
        refuses it there."""
        body = b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 50000

        def stall(_, session):
            session.peer.sendall(REPLIES["DATA"])
            time.sleep(3)
            return CLOSE

        def refuse(_, session):
            session.peer.sendall(REPLIES["DATA"] +
                                 b"452 4.3.1 no room\r\n")
            return CLOSE

        cases = [Case("stalls", DATA=stall), Case("refuses", DATA=refuse),
                 Case("takes")]
        self.run_cases(cases, body, {**LONG, "data_timeout": "1s"})
        self.check(cases, body)


class Windows(unittest.TestCase):
    def test_replies_exceed_the_window(self):
        """PIPE-10: a thousand recipients in one group, 500 octets for each,
        to a next hop with small buffers that answers all at the end."""
        with nexthop.NextHop(receive_buffer=4096) as hop, relay.Relay(
                hop.port, deliver={"recipients": 1000}) as r:
            hop.script = {"RCPT": b"250-" + b"w" * 490 + b"\r\n250 ok\r\n"}
            to = [f"recipient-{i}-{'x' * 40}@served.example"
                  for i in range(1000)]
            r.send(to=to)
            r.wait_empty()
            self.assertEqual([m.recipients for m in hop.messages], [to])
            self.assertEqual(len(hop.sessions), 1)


class Words(Cases):
    def test_extensions(self):
        """C5321-33, -34, SIZE-06: keywords are whole words in any case; what
        was not offered is not used, what is too large is not offered."""
        big = b"Subject: big\r\n\r\n" + b"x" * 76 + b"\r\n"
        offers = {
            "none": ("EIGHTBITMIME\nXSIZE\nSIZES 9\n8BITMIMEX\nX-PIPELINING",
                     r"MAIL FROM:<>"),
            "name": ("", r"MAIL FROM:<>"),
            "lower": ("size\n8bitmime\npipelining", r"MAIL FROM:<> SIZE=\d+"),
            "limit": ("SiZe 1000", r"MAIL FROM:<> SIZE=\d+"),
            "zero": ("SIZE 0", r"MAIL FROM:<> SIZE=\d+"),
            "odd": ("SIZE abc\nSIZE -1\n\n =\n\t", r"MAIL FROM:<>( SIZE=\d+)?"),
            "huge": ("SIZE 99999999999999999999999", "MAIL.*"),
            "small": ("SIZE 50", None),
        }
        cases = [Case(name) for name in offers]
        for case in cases:
            lines = ["size.8bitmime.pipelining.example",
                     *filter(None, offers[case.name][0].split("\n"))]
            case.hop.script["EHLO"] = b"".join(
                b"250%c%s\r\n" % (b"- "[i == len(lines) - 1], w.encode())
                for i, w in enumerate(lines))
        self.run_cases(cases, big, LONG)
        for case in cases:
            with self.subTest(case.name):
                mails = [line for session in case.hop.sessions
                         for line in session.lines if line[:4] == "MAIL"]
                if case.name == "small":
                    self.assertEqual(mails, [])
                    self.assertEqual(self.events(case, "a")[0], "bounced")
                    self.assertIn("5.3.4", "".join(
                        line for line in self.lines if case.id in line))
                    continue
                self.assertTrue(re.fullmatch(offers[case.name][1], mails[0]),
                                mails)
                self.check([case], big)

    def test_hello(self):
        """C5321-06, -07, -12: HELO when EHLO is not known, never after a
        421; QUIT at the end of all of them."""
        cases = [Case(f"h{code}", EHLO=b"%d what\r\n" % code)
                 for code in (500, 501, 502, 504, 550, 421, 451, 554)]
        self.run_cases(cases, times=LONG)
        self.check(cases)
        for case in cases:
            with self.subTest(case.name):
                stages = case.hop.sessions[0].stages
                is_known = case.name in ("h421", "h451", "h554")
                self.assertEqual("HELO" in stages, not is_known)
                if not is_known:
                    self.assertEqual(stages, ["EHLO", "HELO", "MAIL", "RCPT",
                                              "RCPT", "RCPT", "DATA",
                                              "QUIT"])
                self.assertEqual(stages[-1], "QUIT")

    def test_bytes(self):
        """C5321-14 to -16, T02: dots at every offset, lines of all lengths;
        no bare CR or LF, nothing added, nothing lost."""
        chance = random.Random(2)
        bodies = [b".\r\n" * 30000,
                  b"".join(b"x" * (i % 997) + b"\r\n.\r\n..\r\n"
                           for i in range(400))]
        bodies += [b"".join(chance.choice((b".", b"..", b"", b"a.", b".b"))
                            + bytes(chance.choice(b"ab. ") for _ in range(
                                chance.randrange(40))) + b"\r\n"
                            for _ in range(chance.randrange(1, 3000)))
                   for _ in range(30)]
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            for body in bodies:
                r.send(b"Subject: x\r\n\r\n" + body)
            r.wait_empty()
            got = [m.below.partition(b"\r\n\r\n")[2] for m in hop.messages]
            self.assertEqual(sorted(got), sorted(bodies))
            for session in hop.sessions:
                self.assertFalse(re.search(rb"(?<!\r)\n|\r(?!\n)",
                                           session.raw))


class Neighbours(unittest.TestCase):
    def test_tarpit(self):
        """T33: a next hop that hangs with all its connections delays nobody
        else."""
        with nexthop.NextHop(MAIL=HANG) as pit, nexthop.NextHop() as good, \
                relay.Relay(deliver={"idle_timeout": "1s"}, routes=[
                    {"to": "pit.example",
                     "via": f"smtp://127.0.0.1:{pit.port}"},
                    {"to": "*", "via": f"smtp://127.0.0.1:{good.port}"}]) as r:
            for i in range(300):
                r.send(to=f"a{i}@pit.example")
            basics.wait_for("it is stuck", lambda: pit.sessions)
            start = time.monotonic()
            sender = threading.Thread(target=lambda: [
                r.send(to=f"a@good{i % 100}.example") for i in range(300)])
            sender.start()
            basics.wait_for("all good mail", lambda: len(good.messages) ==
                            300)
            self.assertLess(time.monotonic() - start, 10)
            sender.join()
            self.assertLessEqual(len(pit.sessions), 20)
            pit.script = {}
            pit.close()
            r.ctl("queue", "delete", "all", "--yes")


if __name__ == "__main__":
    basics.main()
