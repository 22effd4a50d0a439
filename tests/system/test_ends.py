"""How sessions with smtpd end that do not end by QUIT: errors, floods,
silence, shutdown, lines without end."""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, nexthop, relay


class Ends(unittest.TestCase):
    def test_too_many_errors(self):
        """S5321-31, T12: 421 comes before the close."""
        with relay.Relay(1, limits={"errors": 10}) as r:
            with r.connect() as c:
                for _ in range(30):
                    reply = c.command("XNOPE")
                    if reply.code == 421:
                        break
                self.assertEqual(reply.code, 421)
                self.assertTrue(c.is_closed())
                self.assertLessEqual(len(c.replies), 12)

    def test_floods_of_idle_commands(self):
        """T12, T13: NOOP and RSET without end are ended too, mail is not."""
        with relay.Relay(1, limits={"errors": 20}) as r:
            with r.connect() as c:
                c.hello()
                try:
                    for _ in range(3000):
                        if c.command("NOOP").code == 421:
                            break
                except client.Closed:
                    pass
                self.assertEqual(c.replies[-1].code, 421)

    def test_timeouts(self):
        """T10, S5321-31: a silent client gets 421 4.4.2 at each stage, also
        one that sends a byte now and then."""
        with nexthop.NextHop() as hop, relay.Relay(hop.port, limits={
                "command_timeout": "1s", "data_timeout": "1s"}) as r:
            stages = ([], ["EHLO c.example"],
                      ["EHLO c.example", "MAIL FROM:<a@b.example>"],
                      ["EHLO c.example", "MAIL FROM:<a@b.example>",
                       "RCPT TO:<b@served.example>"],
                      ["EHLO c.example", "MAIL FROM:<a@b.example>",
                       "RCPT TO:<b@served.example>", "DATA"],
                      ["EHLO c.example", "MAIL FROM:<a@b.example>",
                       "RCPT TO:<b@served.example>", "BDAT 3\r\nabc"])
            halves = (b"EHLO c.example\r\nMAIL FR",
                      b"BDAT 9\r\nabc", b"BDAT 9 LAST\r\n")
            clients = [r.connect() for _ in stages]
            for c, stage in zip(clients, stages):
                for text in stage:
                    c.send(text.encode() + b"\r\n" * ("\r" not in text))
                    self.assertLess(c.reply().code, 400)
            for half in halves:
                c = r.connect()
                c.hello()
                c.expect("MAIL FROM:<a@b.example>", 250)
                c.expect("RCPT TO:<b@served.example>", 250)
                c.send(half)
                if half[:1] == b"E":
                    self.assertEqual(c.reply().code, 250)
                clients.append(c)
            slow = r.connect()
            start = time.monotonic()
            for c in clients:
                reply = c.reply()
                self.assertEqual((reply.code, reply.status), (421, "4.4.2"))
                self.assertTrue(c.is_closed())
            self.assertLess(time.monotonic() - start, 5)
            # a byte each 0.3 s makes no command within the second
            with self.assertRaises((client.Closed, OSError)):
                for _ in range(30):
                    slow.send(b"N")
                    if not slow.is_silent(0.3):
                        self.assertEqual(slow.reply().code, 421)
                        slow.reply()
            self.assertEqual(r.count(), 0)
            r.send()
            r.wait_empty()

    def test_shutdown(self):
        """S5321-32: idle sessions get 421; a message in hand is finished."""
        with nexthop.NextHop() as hop, relay.Relay(hop.port) as r:
            idle, busy = r.connect(), r.connect()
            idle.hello()
            busy.hello()
            busy.expect("MAIL FROM:<a@sender.example>", 250)
            busy.expect("RCPT TO:<b@served.example>", 250)
            busy.expect("DATA", 354)
            busy.send(b"first half\r\n")
            r.process.send_signal(signal.SIGTERM)
            reply = idle.reply()
            self.assertEqual((reply.code, reply.status), (421, "4.3.2"))
            self.assertTrue(idle.is_closed())
            busy.send(b"second half\r\n.\r\n")
            reply = busy.reply()
            r.stop()
            if reply.code != 250:
                self.assertEqual(reply.code, 421)
                return
            r.start()
            basics.wait_for("it arrives", lambda: hop.messages)
            self.assertEqual(hop.messages[0].below,
                             b"first half\r\nsecond half\r\n")

    def test_endless_line(self):
        """T09: a line without end is cut off after some 64 KiB."""
        with relay.Relay(1) as r, r.connect() as c:
            sent = 0
            try:
                for _ in range(2000):
                    c.send(b"x" * 65536)
                    sent += 65536
                    if not c.is_silent(0.001):
                        break
            except OSError:
                pass
            self.assertLess(sent, 64 << 20)
            with r.connect() as good:
                good.hello()


if __name__ == "__main__":
    basics.main()
