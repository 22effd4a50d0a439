"""Behind proxies that tell of their clients by the PROXY protocol: haproxy
itself in both versions, and headers as haproxy would not send them.
PROXY-01 to PROXY-09"""
import os
import re
import socket
import ssl
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, client, haproxy, nexthop, relay
from support.certificate import Certificate

PROXY = "127.0.0.99"            # whom the relay knows
CLIENT = "127.0.0.5"            # whom it does not


def header(source, target="192.0.2.99"):
    return f"PROXY TCP4 {source} {target} 40000 25\r\n".encode()


class Proxied(unittest.TestCase):
    def start(self, proxy=(f"{PROXY}/32",), **keys):
        self.hop = nexthop.NextHop()
        self.addCleanup(self.hop.close)
        self.relay = relay.Relay(self.hop.port, start=False,
                                 log={"level": "debug"},
                                 workers={"smtpd": 1}, **keys)
        self.addCleanup(self.relay.remove)
        self.inner = basics.free_ports(1)[0]
        self.relay.configure(listeners=[
            {"address": f"127.0.0.1:{self.relay.port}"},
            {"address": f"127.0.0.1:{self.inner}", "proxy": list(proxy)}])
        self.relay.start()

    def dial(self, first, source=PROXY, **options):
        c = client.Client(self.inner, source=source, has_greeting=False,
                          **options)
        c.send(first)
        return c

    def finish(self):
        self.relay.wait_empty()
        self.relay.stop()


@unittest.skipUnless(haproxy.is_there(), "no haproxy")
class Real(Proxied):
    def play(self, *words):
        """A stranger stays one behind the proxy, and one of ours one of
        ours; the trace and the log name the client; many connections of the
        proxy are not those of one client."""
        self.start(limits={"connections_per_client": 3})
        with haproxy.HAProxy(self.inner, PROXY, *words) as front:
            with client.Client(front.port, source=CLIENT) as c:
                c.hello()
                c.expect("MAIL FROM:<a@sender.example>", 250)
                c.expect("RCPT TO:<b@elsewhere.example>", "550")
                c.expect("RSET", 250)
                c.mail("a@sender.example", ["b@served.example"],
                       b"Subject: x\r\n\r\nx\r\n")
                c.quit()
            with client.Client(front.port, source="127.0.0.1") as c:
                c.hello()
                c.mail("a@sender.example", ["b@elsewhere.example"],
                       b"Subject: x\r\n\r\nx\r\n")
                c.quit()
            crowd = [client.Client(front.port, source=f"127.0.1.{i}")
                     for i in range(20)]
            self.assertEqual({c.greeting.code for c in crowd}, {220})
            same = [client.Client(front.port, source="127.0.2.1")
                    for i in range(4)]
            self.assertEqual(sorted(c.greeting.code for c in same),
                             [220, 220, 220, 421])
            for c in crowd + same:
                c.close()
        self.relay.wait_empty()
        self.assertEqual(len(self.hop.messages), 2)
        traces = b"".join(m.content for m in self.hop.messages)
        self.assertIn(f"[{CLIENT}]".encode(), traces)
        self.assertNotIn(PROXY.encode(), traces)
        log = self.relay.log()
        self.assertIn(f"client={CLIENT} ", log)
        self.assertIn(f"proxy={PROXY}", log)
        self.finish()

    def test_version_1(self):
        self.play("send-proxy")

    def test_version_2(self):
        self.play("send-proxy-v2")

    def test_version_2_with_tlvs(self):
        self.play("send-proxy-v2", "proxy-v2-options", "crc32c,unique-id")

    def test_health_checks(self):
        """LOCAL: haproxy looks whether the relay is there."""
        self.start()
        with haproxy.HAProxy(self.inner, PROXY, "send-proxy-v2", "check",
                             "check-send-proxy", "inter", "100") as front:
            self.relay.wait_log(f"connected client={PROXY} ")
            time.sleep(0.3)
            with client.Client(front.port, source=CLIENT) as c:
                c.hello()
                c.quit()
        self.assertNotIn(" refused ", self.relay.log())
        self.finish()


class InsideTls(Proxied):
    """The header is outside of TLS, which begins right behind it."""

    def start_tls(self):
        self.start()
        self.relay.stop()
        self.certificate = Certificate(self.relay.folder)
        rows = self.relay.config["listeners"]
        rows[1]["tls"] = "implicit"
        self.relay.configure(listeners=rows, tls={
            "certificate": [self.certificate.chain],
            "key": [self.certificate.key]})
        self.relay.start()

    def test_one_segment(self):
        """PROXY-07: header and ClientHello in one segment, then in pieces
        that are cut everywhere else."""
        self.start_tls()
        for size in (0, 7):
            inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.certificate.client().wrap_bio(
                inward, outward, server_hostname="relay.example.org")
            c = self.dial(b"")
            first = header(CLIENT)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    c.send(first + outward.read(), size, 0.001)
                    first = b""
                    inward.write(c.socket.recv(65536))
            c.send(outward.read())
            greeting = b""
            while not greeting:
                try:
                    greeting = tls.read(600)
                except ssl.SSLWantReadError:
                    inward.write(c.socket.recv(65536))
            self.assertTrue(greeting.startswith(b"220 "), greeting)
            c.close()
        # nobody hears a word in clear there
        c = self.dial(b"", source="127.0.0.1")
        self.assertTrue(c.is_closed())
        self.assertEqual(c.pending, b"")
        self.finish()

    @unittest.skipUnless(haproxy.is_there(), "no haproxy")
    def test_real(self):
        self.start_tls()
        with haproxy.HAProxy(self.inner, PROXY, "send-proxy-v2") as front:
            raw = socket.create_connection(("127.0.0.1", front.port),
                                           basics.PATIENCE,
                                           source_address=(CLIENT, 0))
            with self.certificate.client().wrap_socket(
                    raw, server_hostname="relay.example.org") as s:
                f = s.makefile("rwb")
                self.assertTrue(f.readline().startswith(b"220 "))
                f.write(b"EHLO a\r\nMAIL FROM:<a@b.example>\r\n"
                        b"RCPT TO:<c@elsewhere.example>\r\nQUIT\r\n")
                f.flush()
                self.assertIn(b"550 5.7.1", f.read())
        self.finish()
        self.assertRegex(self.relay.log(), f" rejected .*client={CLIENT} ")


class Scripted(Proxied):
    def test_pieces(self):
        """PROXY-07: octet by octet; the greeting comes after it, and what is
        said at once behind it is early for a stranger alone."""
        self.start()
        c = self.dial(b"")
        for octet in header(CLIENT):
            self.assertTrue(c.is_silent(0.001))
            c.send(bytes([octet]))
        self.assertEqual(c.reply().code, 220)
        c.hello()
        c.quit()
        c = self.dial(header(CLIENT) + b"EHLO x\r\n")
        self.assertEqual(c.reply().code, 554)
        self.assertTrue(c.is_closed())
        c = self.dial(header("127.0.0.1") + b"EHLO x\r\n")
        self.assertEqual(c.reply().code, 220)
        self.assertEqual(c.reply().code, 250)
        c.quit()
        self.finish()

    def test_others(self):
        """Who is no proxy gets 554 at the door of proxies, and a header at
        the other door is a command like any."""
        self.start()
        for first in (b"", header("127.0.0.1")):
            for source in ("127.0.0.1", CLIENT):
                c = self.dial(first, source)
                # a reset may overtake the reply to one who speaks
                try:
                    self.assertEqual(c.reply().code, 554)
                except client.Closed:
                    self.assertTrue(first)
                self.assertTrue(c.is_closed())
        with self.relay.connect() as c:
            c.expect(header("127.0.0.1")[:-2], 500)
        self.assertIn('why="not in listeners[].proxy"', self.relay.log())
        self.finish()

    def test_garbage(self):
        """PROXY-08: closed, with a line that says what was wrong."""
        self.start()
        for first, why in (
                (b"EHLO x\r\n", "no PROXY header"),
                (b"PROXY TCP4 192.0.2.300 192.0.2.1 1 2\r\n", "bad address"),
                (b"PROXY UNKNOWN " + b"x" * 200, "too long"),
                (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "too long"),
                (b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0", "version")):
            with self.subTest(first):
                c = self.dial(first)
                self.assertTrue(c.is_closed())
                self.assertEqual(c.pending, b"")
                self.relay.wait_log(why)
        self.finish()

    def test_flood_of_lines(self):
        """Refusals are counted, but have not all of them a line."""
        self.start()
        for _ in range(500):
            with client.Client(self.inner, source=CLIENT,
                               has_greeting=False) as c:
                c.is_closed()
        self.finish()
        lines = self.relay.log().count(" refused ")
        counts = re.findall(r" refused_more count=(\d+)", self.relay.log())
        self.assertLess(lines, 200)         # 50 in 10 seconds
        self.assertEqual(lines + sum(map(int, counts)), 500)

    def test_silence(self):
        """PROXY-09: a header that does not come in 10 s ends it; so does the
        end of the process, without waiting."""
        self.start()
        begin = time.monotonic()
        c = self.dial(b"PROXY TCP4 ")
        self.assertTrue(c.is_closed(60))
        self.assertGreater(time.monotonic() - begin, 9)
        self.relay.wait_log("no PROXY header in time")
        c = self.dial(b"PROXY TCP4 ")
        stop = threading.Thread(target=self.relay.stop)
        stop.start()
        self.assertTrue(c.is_closed())
        stop.join()

    def test_reload(self):
        """Proxies come and go without a restart."""
        self.start(proxy=["127.0.0.98/32"])
        self.assertTrue(self.dial(header(CLIENT)).is_closed())
        rows = self.relay.config["listeners"]
        rows[1]["proxy"] = [f"{PROXY}/32"]
        self.relay.configure(listeners=rows)
        self.relay.ctl("reload")
        c = self.dial(header(CLIENT))
        self.assertEqual(c.reply().code, 220)
        c.close()
        self.finish()


if __name__ == "__main__":
    basics.main()
