"""Dialogues with an SMTP server, written down as text and played.

A file holds blocks.  `== IDS: title` begins one; then, a line each:

    from ADDRESS    connect from there (else 127.0.0.1); first in its block
    postfix: fails  a private Postfix is known to fail here
    > TEXT          send TEXT and CR LF
    >> TEXT         send TEXT as it is
    < CODE [TEXT]   a reply: both are regular expressions, CODE for the whole
                    code, TEXT to be found in the reply
    <eof            the server closes
    silence S       nothing comes for S seconds
    refused         no reply 2xx or 3xx within a second
    again           a new connection
    = TEXT          the next hop gets a message: what is below the trace field
    =to A B ...     the recipients of that message
    =from A         its sender
    =none           the next hop got nothing else

In TEXT \\r \\n \\t \\0 \\\\ \\xNN stand for bytes and {a*64} for repetition.
`#` begins a comment line."""
import re
import time

from .basics import wait_for
from .client import Client, Closed


class Block:
    def __init__(self, ids, title):
        self.ids, self.title = ids, title
        self.steps = []
        self.source = None
        self.fails_postfix = False

    def __str__(self):
        return f"{self.ids}: {self.title}"


def read(file):
    """The blocks of a file."""
    blocks = []
    with open(file, encoding="ascii") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("== "):
                ids, _, title = line[3:].partition(": ")
                blocks.append(Block(ids, title))
            elif line == "postfix: fails":
                blocks[-1].fails_postfix = True
            elif line.startswith("from "):
                blocks[-1].source = line[5:]
            elif line and not line.startswith("#"):
                word, _, rest = line.partition(" ")
                if word not in PLAYERS:
                    raise ValueError(f"{file}:{number}: {line}")
                blocks[-1].steps.append((word, rest))
    return blocks


def unescape(text):
    text = re.sub(r"\{(.+?)\*(\d+)\}",
                  lambda m: m.group(1) * int(m.group(2)), text)
    names = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    text = re.sub(r"\\(x[0-9a-f]{2}|.)", lambda m: chr(int(m.group(1)[1:], 16))
                  if m.group(1)[0] == "x" else names[m.group(1)], text)
    return text.encode("latin-1")


class Player:
    """Plays blocks against the server at `port`, whose mail goes to `hop`;
    everything is sent in segments of `size` bytes (0: as it comes)."""

    def __init__(self, port, hop, size=0):
        self.port, self.hop, self.size = port, hop, size
        self.seen = len(hop.messages)
        self.claimed = []
        self.block = self.client = self.message = None

    def play(self, block):
        self.seen = len(self.hop.messages)
        self.claimed = []
        self.block = block
        self.connect()
        try:
            for word, rest in block.steps:
                try:
                    PLAYERS[word](self, rest)
                except (AssertionError, Closed, OSError) as e:
                    raise AssertionError(
                        f"{block}\n  at `{word} {rest}`: "
                        f"{str(e) or type(e).__name__}") from None
        finally:
            self.client.close()

    def connect(self, _=""):
        if self.client:
            self.client.close()
        self.client = Client(self.port, source=self.block.source)
        assert self.client.greeting.code == 220, self.client.greeting

    def send_line(self, text):
        self.client.send(unescape(text) + b"\r\n", self.size)

    def send_raw(self, text):
        self.client.send(unescape(text), self.size)

    def expect(self, text):
        code, _, words = text.partition(" ")
        reply = self.client.reply()
        assert re.fullmatch(code, str(reply.code)), f"got {reply}"
        assert re.search(words, reply.text), f"got {reply}"

    def closed(self, _):
        assert self.client.is_closed(), "still open"

    def silence(self, seconds):
        assert self.client.is_silent(float(seconds)), \
            f"got {self.client.reply()}"

    def refused(self, _):
        while not self.client.is_silent(1.0):
            try:
                reply = self.client.reply()
            except Closed:
                return
            assert reply.code >= 400, f"executed: {reply}"

    def unclaimed(self):
        return [m for m in self.hop.messages[self.seen:]
                if not any(m is c for c in self.claimed)]

    def arrives(self, text):
        """Two messages may come by two connections, in either order."""
        wanted = unescape(text)

        def find():
            return next((m for m in self.unclaimed() if m.below == wanted),
                        None)
        try:
            self.message = wait_for("the message arrives", find, 10)
        except AssertionError:
            came = [m.below[:300] for m in self.unclaimed()]
            raise AssertionError(f"arrived as {came}" if came else
                                 "the message did not arrive") from None
        self.claimed.append(self.message)

    def recipients(self, text):
        assert self.message.recipients == text.split(), \
            self.message.recipients

    def sender(self, text):
        assert self.message.sender == text, self.message.sender

    def nothing(self, _):
        time.sleep(0.3)
        more = self.unclaimed()
        assert not more, f"arrived: {[m.content[:300] for m in more]}"


PLAYERS = {
    ">": Player.send_line, ">>": Player.send_raw, "<": Player.expect,
    "<eof": Player.closed, "silence": Player.silence,
    "refused": Player.refused, "again": Player.connect,
    "=": Player.arrives, "=to": Player.recipients, "=from": Player.sender,
    "=none": Player.nothing,
}
