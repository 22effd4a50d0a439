"""A next hop that records everything and misbehaves as told."""
import re
import socket
import struct
import threading
import time

# What a stage may do instead of sending a reply.
HANG, CLOSE, RESET = "hang", "close", "reset"

EHLO = b"250-hop.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n"
REPLIES = {
    "greeting": b"220 hop.example ESMTP\r\n", "EHLO": EHLO,
    "HELO": b"250 hop.example\r\n", "MAIL": b"250 2.1.0 ok\r\n",
    "RCPT": b"250 2.1.5 ok\r\n", "DATA": b"354 go on\r\n",
    "dot": b"250 2.0.0 taken\r\n", "RSET": b"250 2.0.0 ok\r\n",
    "NOOP": b"250 2.0.0 ok\r\n", "QUIT": b"221 2.0.0 bye\r\n",
}


# A reply that makes the next hop responsible for the message.
TAKEN = re.compile(rb"(2\d\d-[^\r]{,500}\r\n){,9}2\d\d( [^\r]{,500})?\r\n")


class Message:
    """One transaction that came to its final dot."""

    def __init__(self, sender, recipients, wire, session):
        self.sender, self.recipients = sender, recipients
        self.wire, self.session = wire, session
        self.at = time.monotonic()
        self.content = re.sub(rb"(\A|\r\n)\.", rb"\1", wire)
        self.reply = None

    @property
    def trace(self):
        """The one header field that the relay put on top."""
        found = re.match(rb"Received: .*\r\n([ \t].*\r\n)*", self.content)
        assert found, f"no trace header: {self.content[:200]!r}"
        return found.group(0)

    @property
    def below(self):
        return self.content[len(self.trace):]


class Session(threading.Thread):
    """One connection: `commands` are (time, line), `stages` their names."""

    def __init__(self, hop, peer):
        super().__init__(daemon=True)
        self.hop, self.peer = hop, peer
        self.address = None if hop.at else peer.getpeername()[0]
        self.at = time.monotonic()
        self.commands, self.raw = [], b""
        self.pending = b""
        self.sender, self.has_sender, self.recipients = None, False, []
        self.is_over = False
        self.tls = None                 # the version, inside TLS

    @property
    def lines(self):
        return [line.decode("latin-1") for _, line in self.commands]

    @property
    def stages(self):
        return [line.split(":")[0].split(" ")[0].upper()
                for line in self.lines]

    def run(self):
        try:
            with self.peer:
                self.peer.settimeout(60)
                if not self.hop.at:
                    self.peer.setsockopt(socket.IPPROTO_TCP,
                                         socket.TCP_NODELAY, 1)
                if self.hop.is_implicit:
                    self.secure()
                self.serve()
        except (OSError, EOFError):
            pass
        finally:
            self.is_over = True

    def serve(self):
        self.answer("greeting", "")
        while True:
            line = self.until(b"\n")[:-1].rstrip(b"\r")
            self.commands.append((time.monotonic(), line))
            text = line.decode("latin-1")
            stage = text.split(" ")[0].upper()
            stage = {"MAIL": "MAIL", "RCPT": "RCPT"}.get(
                text[:4].upper(), stage)
            if stage == "BDAT":
                self.take_chunk(text)
                continue
            reply = self.answer(stage, text)
            if stage == "STARTTLS" and reply[:1] == b"2":
                self.secure()
            elif stage == "MAIL":
                self.sender, self.recipients = path(text), []
                self.has_sender = reply[:1] == b"2"
            elif stage == "RCPT" and reply[:1] == b"2":
                self.recipients.append(path(text))
            elif stage == "DATA" and reply[:1] == b"3":
                self.take()
                self.has_sender = False
            elif stage == "RSET":
                self.has_sender, self.recipients = False, []
            elif stage == "QUIT":
                return

    def secure(self):
        """Everything from before is forgotten."""
        self.peer = self.hop.tls.wrap_socket(self.peer, server_side=True)
        self.tls = self.peer.version()
        self.pending = b""

    def take(self):
        if self.peek(3) == b".\r\n":
            wire = self.until(b".\r\n")[:-3]
        else:
            wire = self.until(b"\r\n.\r\n")[:-3]
        recipients, self.recipients = self.recipients, []
        # LMTP: each has a reply of its own, as if the message were its alone
        for some in ([r] for r in recipients) if self.hop.is_lmtp else (
                [recipients]):
            message = Message(self.sender, list(some), wire, self)
            with self.hop.lock:
                self.hop.dotted.append(message)
            message.reply = self.answer("dot", message)

    def take_chunk(self, text):
        """All of a message in one chunk: as much as mtad ever sends."""
        size = re.fullmatch(r"BDAT (\d+) LAST", text).group(1)
        self.peek(int(size))
        wire, self.pending = (self.pending[:int(size)],
                              self.pending[int(size):])
        message = Message(self.sender, list(self.recipients), wire, self)
        message.content = wire
        with self.hop.lock:
            self.hop.dotted.append(message)
        self.recipients, self.has_sender = [], False
        message.reply = self.answer("dot", message)

    def answer(self, stage, subject):
        action = self.hop.action(stage, subject, self)
        if action == HANG:
            self.peer.settimeout(0.1)
            while not self.hop.stopped.is_set():
                try:
                    self.fill()         # ends when the peer gives up
                except TimeoutError:
                    pass
            raise EOFError
        if action == CLOSE:
            raise EOFError
        if action == RESET:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            raise EOFError
        if stage == "dot" and TAKEN.fullmatch(action):
            with self.hop.lock:
                self.hop.messages.append(subject)
        self.peer.sendall(action)
        return action

    def fill(self):
        part = self.peer.recv(1 << 16)
        if not part:
            raise EOFError
        self.pending += part
        self.raw += part

    def peek(self, count):
        while len(self.pending) < count:
            self.fill()
        return self.pending[:count]

    def until(self, end):
        at = 0
        while True:
            found = self.pending.find(end, at)
            if found >= 0:
                found += len(end)
                part, self.pending = (self.pending[:found],
                                      self.pending[found:])
                return part
            at = max(0, len(self.pending) - len(end))
            self.fill()


class NextHop:
    """`script` names a stage (greeting EHLO HELO MAIL RCPT DATA dot RSET QUIT)
    and what it does: a reply, HANG, CLOSE, RESET, a function of the command
    (or the Message) and the session that gives one of these (None: as usual),
    or a list, used up one by one, whose last entry stays.  With `tls` (an
    ssl.SSLContext) STARTTLS is offered and done, or with is_implicit each
    connection begins with TLS.  With is_lmtp LHLO is known instead of EHLO, and
    each recipient has its own `dot`.  With `at` it is a Unix socket there."""

    def __init__(self, port=0, host="127.0.0.1", receive_buffer=None,
                 tls=None, is_implicit=False, is_lmtp=False, at=None,
                 **script):
        self.tls, self.is_implicit = tls, is_implicit
        self.is_lmtp, self.at = is_lmtp, at
        self.socket = socket.socket(
            socket.AF_UNIX if at else
            socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   receive_buffer)
        self.socket.bind(at or (host, port))
        self.socket.listen(1024)
        self.port = None if at else self.socket.getsockname()[1]
        self.script, self.lock = script, threading.Lock()
        self.sessions, self.messages, self.dotted = [], [], []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            session = Session(self, peer)
            self.sessions.append(session)
            session.start()

    def action(self, stage, subject, session):
        with self.lock:
            action = self.script.get(stage)
            if isinstance(action, list):
                action = action.pop(0) if len(action) > 1 else action[0]
        if callable(action):
            action = action(subject, session)
        if action is None and stage == "RCPT" and not session.has_sender:
            action = b"503 5.5.1 MAIL first\r\n"
        if action is None and stage == "DATA" and not session.recipients:
            action = b"554 5.5.1 no recipients\r\n"
        if action is None and self.tls is not None and session.tls is None:
            action = {"EHLO": EHLO.replace(b"250 ", b"250-STARTTLS\r\n250 "),
                      "STARTTLS": b"220 2.0.0 go\r\n"}.get(stage)
        if action is None and self.is_lmtp:
            action = {"LHLO": EHLO, "EHLO": b"500 5.5.1 LHLO\r\n",
                      "HELO": b"500 5.5.1 LHLO\r\n"}.get(stage)
        if action is None:
            action = REPLIES.get(stage, b"500 5.5.2 what?\r\n")
        return action

    def close(self):
        """Refuses connections from now on, and lets hanging ones go."""
        self.stopped.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def path(command):
    """The address in a MAIL or RCPT command."""
    found = re.search(r"<((?:\"(?:[^\"\\]|\\.)*\"|[^>])*)>", command)
    return found.group(1) if found else None
