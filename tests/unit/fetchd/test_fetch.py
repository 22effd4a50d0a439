"""Fetching by HTTPS (fetchd/fetch.h), from servers that behave and others."""
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../.."))
from support.basics import PATIENCE
from support.certificate import Certificate

TOOL = os.path.join(os.environ.get("MTAD_BIN", "build/dev/bin"),
                    "../tests/fetch_one")
OK = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
      b"Content-Length: 6\r\n\r\nhello\n")


class Server:
    """Answers each request with what `answer(stream, request)` sends."""

    def __init__(self, test, certificate, answer, family=socket.AF_INET,
                 newest=None):
        self.context = certificate.server()
        if newest is not None:
            self.context.minimum_version = ssl.TLSVersion.TLSv1
            self.context.maximum_version = newest
            self.context.set_ciphers("ALL:@SECLEVEL=0")
        self.answer = answer
        self.requests = []
        self.open = self.most = 0
        self.lock = threading.Lock()
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.socket = socket.create_server((host, 0), family=family,
                                           backlog=200)
        self.port = self.socket.getsockname()[1]
        test.addCleanup(self.socket.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(plain,),
                             daemon=True).start()

    def talk(self, plain):
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            with self.context.wrap_socket(plain, server_side=True) as s:
                self.requests.append(self.read(s))
                self.answer(s, self.requests[-1])
        except OSError:
            pass
        finally:
            plain.close()
            with self.lock:
                self.open -= 1

    @staticmethod
    def read(s):
        """A whole request, by its Content-Length."""
        got = b""
        while True:
            piece = s.recv(65536)
            got += piece
            head, gap, body = got.partition(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not piece or (gap and len(body) >= length):
                return got


def says(data):
    return lambda s, _: s.sendall(data)


class Fetching(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="mtad-fetch-")
        cls.certificate = Certificate(cls.dir.name,
                                      names=("web.example.org",))

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def fetch(self, url, *args, authorities=True, names=(
            "web.example.org=127.0.0.1",), loopback=True):
        command = [TOOL]
        if authorities:
            command += ["-a", self.certificate.chain]
        for name in names:
            command += ["-n", name]
        if loopback:
            command += ["-l"]
        r = subprocess.run(command + [*args, url], capture_output=True,
                           timeout=PATIENCE, env={"PATH": os.environ["PATH"],
                           "https_proxy": "http://127.0.0.1:1",
                           "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")})
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        return r.stdout.decode("latin-1")

    def ask(self, answer, *args, path="/x", host="web.example.org", **more):
        self.server = Server(self, self.certificate, answer)
        return self.fetch(f"https://{host}:{self.server.port}{path}", *args,
                          **more)

    def test_get(self):
        self.assertEqual(self.ask(says(OK)), "200 text/plain 6 \nhello\n")
        head = self.server.requests[0].decode().split("\r\n")
        self.assertEqual(head[0], "GET /x HTTP/1.1")
        self.assertIn(f"Host: web.example.org:{self.server.port}", head)
        self.assertIn("User-Agent: mtad", head)

    def test_post(self):
        self.ask(says(OK), "-p", "application/x-www-form-urlencoded", "a=b&c")
        head, _, body = self.server.requests[0].partition(b"\r\n\r\n")
        self.assertEqual(body, b"a=b&c")
        self.assertTrue(head.startswith(b"POST /x HTTP/1.1\r\n"))
        self.assertIn(b"\r\nContent-Type: application/x-www-form-urlencoded",
                      head)
        self.assertNotIn(b"Expect", head)

    def test_one_more_field(self):
        """Also of a GET; it is one line."""
        field = "Authorization: Basic Og=="
        for more in ((), ("-p", "text/plain", "x")):
            self.ask(says(OK), "-h", field, *more)
            self.assertIn(f"\r\n{field}\r\n".encode(),
                          self.server.requests[0])
        for bad in ("no field", "A: b\r\nC: d", "A: b\n"):
            self.assertTrue(self.ask(says(OK), "-h", bad).startswith(
                "refused: "), bad)

    def test_ipv6(self):
        server = Server(self, self.certificate, says(OK), socket.AF_INET6)
        url = f"https://web.example.org:{server.port}/"
        # the first address refuses, the second one is tried
        for names in (("web.example.org=::1",),
                      ("web.example.org=127.0.0.1", "web.example.org=::1")):
            self.assertEqual(self.fetch(url, names=names)[:3], "200")

    def test_other_status(self):
        for answer in (b"404 Not Found", b"500 Oops", b"204 No Content"):
            text = self.ask(says(b"HTTP/1.1 " + answer +
                                 b"\r\nContent-Length: 0\r\n\r\n"))
            self.assertEqual(text, answer[:3].decode() + " - 0 \n")

    def test_no_redirect(self):
        text = self.ask(says(
            b"HTTP/1.1 302 Found\r\nLocation: https://web.example.org/other"
            b"\r\nContent-Length: 0\r\n\r\n"))
        self.assertEqual(text, "302 - 0 \n")
        self.assertEqual(len(self.server.requests), 1)

    def test_no_whole_answer(self):
        for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"nonsense\r\n",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
                       b"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n"
                       b"HTTP/1.1 200 OK\r\n\r\nhel",
                       b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                       b"\r\n3\r\nhel\r\n",
                       b"HTTP/1.1 200 OK\r\n\r\nhello\n"):
            self.assertEqual(self.ask(says(answer))[:6], "0 - 0 ", answer)

    def test_too_long(self):
        body = b"x" * 1000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        self.assertEqual(self.ask(says(head + body), "-b", "1000"),
                         "200 - 1000 \n" + body.decode())
        too_long = "0 - 0 the answer is too long\n"
        self.assertEqual(self.ask(says(head + body), "-b", "999"), too_long)
        # by chunks
        self.assertEqual(self.ask(says(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" +
            body + b"\r\n0\r\n\r\n"), "-b", "999"), too_long)
        self.assertEqual(self.ask(says(
            b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 5000 + b"\r\n" +
            (b"X: " + b"y" * 5000 + b"\r\n") * 20 + b"\r\n"))[:6], "0 - 0 ")

    def test_compressed_is_not_unpacked(self):
        self.assertEqual(self.ask(says(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: 3\r\n\r\n\x1f\x8b\x08")),
            "200 - 3 \n\x1f\x8b\x08")
        self.assertNotIn(b"Accept-Encoding", self.server.requests[0])

    def test_time_limit(self):
        def drip(s, _):
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                s.sendall(b"x")
                time.sleep(0.05)

        begun = time.monotonic()
        self.assertEqual(self.ask(drip, "-t", "500"),
                         "0 - 0 no whole answer in time\n")
        self.assertLess(time.monotonic() - begun, PATIENCE / 2)
        # who takes a connection and says nothing
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.assertEqual(self.fetch(
            f"https://web.example.org:{silent.getsockname()[1]}/",
            "-t", "300"), "0 - 0 no whole answer in time\n")

    def test_certificates(self):
        """Nobody but the authorities given, for this name, in TLS 1.2."""
        self.assertEqual("0 - 0 untrusted, there is no authority to believe\n",
                         self.ask(says(OK), authorities=False))
        self.assertEqual(b"".join(self.server.requests), b"")
        self.assertIn("untrusted, SSL: no alternative certificate", self.ask(
            says(OK), host="other.example.org",
            names=("other.example.org=127.0.0.1",)))
        self.assertEqual(b"".join(self.server.requests), b"")
        for newest, wanted in ((ssl.TLSVersion.TLSv1_2, "200"),
                               (ssl.TLSVersion.TLSv1_1, "0 - 0 ")):
            server = Server(self, self.certificate, says(OK), newest=newest)
            text = self.fetch(f"https://web.example.org:{server.port}/")
            self.assertTrue(text.startswith(wanted), text)

    def test_urls(self):
        for url in ("http://web.example.org/", "ftp://web.example.org/",
                    "file:///etc/passwd", "web.example.org", "",
                    "https://user:pw@web.example.org/",
                    "https://web.example.org/#part", "https:///",
                    "https://web.example.org:0/", "https://we b/",
                    "https://a,b/", "https://\u00e4.example/"):
            self.assertTrue(self.fetch(url).startswith("refused: "), url)
        self.assertTrue(self.fetch(
            "https://web.example.org/" + "x" * 2048).startswith("refused: "))

    def test_addresses(self):
        """What the DNS of others may not aim us at (decisions/0004)."""
        refused = "0 - 0 it has no address that may be asked\n"
        for address in ("127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "0.1.2.3",
                        "::", "169.254.1.1", "fe80::1", "224.0.0.1",
                        "ff02::1", "255.255.255.255", "::ffff:127.0.0.1"):
            self.assertEqual(self.ask(says(OK), loopback=False, names=(
                "web.example.org=" + address,)), refused, address)
        for address in ("0.0.0.0", "169.254.1.1", "fe80::1"):
            # not in a laboratory either
            self.assertEqual(self.ask(says(OK), names=(
                "web.example.org=" + address,)), refused, address)
        self.assertEqual(self.ask(says(OK), loopback=False,
                                  host="127.0.0.1"), refused)
        # one that may be asked is found among others
        self.assertEqual(self.ask(says(OK), names=(
            "web.example.org=0.0.0.0", "web.example.org=127.0.0.1"))[:3],
            "200")
        # where we listen ourselves
        server = Server(self, self.certificate, says(OK))
        url = f"https://web.example.org:{server.port}/"
        own = f"127.0.0.1:{server.port}"
        self.assertEqual(self.fetch(url, "-o", own), refused)
        # the administrator's own choice
        self.assertEqual(self.fetch(url, "-o", own, "-u",
                                    loopback=False)[:3], "200")

    def test_names(self):
        self.assertEqual(self.ask(says(OK), names=()),
                         "0 - 0 it has no address\n")
        self.assertEqual(self.ask(says(OK), names=("web.example.org=-",)),
                         "0 - 0 its address can't be looked up now\n")

    def test_many(self):
        """No more than 16 at a time, no more than 1,000 behind them."""
        def slowly(s, _):
            time.sleep(0.05)
            s.sendall(OK)

        text = self.ask(slowly, "-c", "60", "-t", "60000")
        self.assertEqual(text.count("200 text/plain 6 \nhello\n"), 60)
        self.assertLessEqual(self.server.most, 16)
        self.assertGreater(self.server.most, 1)
        text = self.fetch("https://nowhere.example.org/", "-c", "1010")
        self.assertEqual(text.count("refused: "), 10)
        self.assertEqual(text.count("0 - 0 it has no address\n"), 1000)

    def test_cancel(self):
        """Whether it waits for an answer, for its turn or for a name."""
        def never(s, _):
            time.sleep(PATIENCE)

        for ms in ("0", "200"):
            self.assertEqual(self.ask(never, "-c", "40", "-x", ms,
                                      "-t", "60000"), "cancelled, 0 left\n")


if __name__ == "__main__":
    unittest.main()
