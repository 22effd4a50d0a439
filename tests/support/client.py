"""An SMTP client that sends exactly the bytes it is told to."""
import re
import select
import socket
import struct
import time

from .basics import PATIENCE

REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])([ -])([^\r\n\0]*)\r\n\Z")
STATUS = re.compile(rb"([245])\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2}) ")


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[0][:3])

    @property
    def text(self):
        return b"\n".join(line[4:].rstrip(b"\r\n") for line in self.lines
                          ).decode("utf-8", "replace")

    @property
    def status(self):
        """The enhanced status code, or ''."""
        found = STATUS.match(self.lines[0][4:])
        return found.group(0).decode().strip() if found else ""

    def __str__(self):
        return f"{self.code} {self.text}"

    def check(self):
        """What every reply has to keep: S5321-38, -39, -40, ESC-02, -03,
        -05."""
        statuses = set()
        for i, line in enumerate(self.lines):
            found = REPLY_LINE.match(line)
            assert found, f"malformed reply line {line!r}"
            assert len(line) <= 512, f"reply line of {len(line)} octets"
            assert int(found.group(1)) == self.code, f"codes differ: {self}"
            is_last = i == len(self.lines) - 1
            assert found.group(2) == (b" " if is_last else b"-")
            status = STATUS.match(found.group(3))
            statuses.add(status.group(0) if status else b"")
            if status:
                assert status.group(1) == found.group(1)[:1], f"class: {self}"
        assert len(statuses) == 1, f"statuses differ: {self}"


class Closed(Exception):
    """The server closed the connection."""


class Client:
    """`source` is the local address to connect from; `is_strict` checks each
    reply's form."""

    def __init__(self, port, host="127.0.0.1", source=None, is_strict=True,
                 timeout=PATIENCE, receive_buffer=None, has_greeting=True):
        self.is_strict, self.timeout = is_strict, timeout
        self.socket = socket.socket(socket.AF_INET6 if ":" in host
                                    else socket.AF_INET)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   receive_buffer)
        self.socket.settimeout(timeout)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((host, port))
        self.pending = b""
        self.replies = []
        self.greeting = self.reply() if has_greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes by RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.socket.close()

    # -- bytes --------------------------------------------------------------
    def send(self, data, size=0, pause=0.0):
        """All at once, or in segments of `size` bytes."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        if not size:
            self.socket.sendall(data)
            return
        for at in range(0, len(data), size):
            self.socket.sendall(data[at:at + size])
            if pause:
                time.sleep(pause)

    def _receive(self):
        try:
            part = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            part = b""
        if not part:
            raise Closed()
        self.pending += part

    def line(self):
        while b"\n" not in self.pending:
            self._receive()
        line, _, self.pending = self.pending.partition(b"\n")
        return line + b"\n"

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        reply = Reply(lines)
        self.replies.append(reply)
        if self.is_strict:
            reply.check()
        return reply

    def is_silent(self, seconds):
        """Nothing comes within that time."""
        if self.pending:
            return False
        return not select.select([self.socket], [], [], seconds)[0]

    def is_closed(self, seconds=None):
        """The server closes, within `seconds`; what comes before is kept."""
        self.socket.settimeout(seconds or self.timeout)
        try:
            while True:
                self._receive()
        except Closed:
            return True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(self.timeout)

    # -- dialogue -----------------------------------------------------------
    def command(self, text):
        if isinstance(text, str):
            text = text.encode("latin-1")
        self.send(text + b"\r\n")
        return self.reply()

    def expect(self, text, code):
        reply = self.command(text)
        assert str(reply.code).startswith(str(code)), \
            f"{text!r}: expected {code}, got {reply}"
        return reply

    def hello(self, name="client.example", verb="EHLO"):
        return self.expect(f"{verb} {name}", 250)

    def extensions(self):
        return {line.partition(" ")[0].upper(): line.partition(" ")[2]
                for line in self.hello().text.split("\n")[1:]}

    def content(self, content):
        """DATA and a message, stuffed here; the final reply."""
        self.expect("DATA", 354)
        self.send(stuffed(content) + b".\r\n")
        return self.reply()

    def mail(self, sender, recipients, content, parameters=""):
        """A whole transaction that has to succeed; the queue id."""
        self.expect(f"MAIL FROM:<{sender}>{parameters}", 250)
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>", 250)
        reply = self.content(content)
        assert reply.code == 250, f"not accepted: {reply}"
        return reply.text.split()[1]

    def quit(self):
        self.expect("QUIT", 221)
        assert self.is_closed(), "open after QUIT"


def stuffed(content):
    """A dot before each line that begins with one; needs a CRLF at its
    end."""
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", content)
