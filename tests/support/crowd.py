"""Very many recipients: a client that says them all in one transaction, and a
next hop that counts how often each of them comes."""
import socket
import threading


def address(i, domains):
    return f"u{i}@d{i % domains}.example"


class Crowd:
    """Next hop for user<i>: `seen[i]` is how often it took mail for it.
    `judge(i)` may give another reply to its RCPT."""

    EHLO = b"250-crowd.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n"

    def __init__(self, size, judge=None):
        self.seen = bytearray(size)
        self.ids, self.messages, self.most = set(), 0, 0
        self.judge = judge or (lambda i: b"250 2.1.5 ok\r\n")
        self.lock = threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def close(self):
        # or its thread may go on with another socket of the same number
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()

    def count(self):
        return len(self.seen) - self.seen.count(0)

    def _accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,),
                             daemon=True).start()

    def _serve(self, peer):
        session = _Session(self)
        with peer:
            try:
                peer.sendall(b"220 crowd.example ESMTP\r\n")
                while not session.is_over and (data := peer.recv(1 << 16)):
                    # what is pipelined is answered in one write
                    if out := session.feed(data):
                        peer.sendall(out)
            except OSError:
                pass

    def take(self, rcpts, trace):
        with self.lock:
            for i in rcpts:
                self.seen[i] = min(self.seen[i] + 1, 255)
            self.most = max(self.most, len(rcpts))
            self.messages += 1
            at = trace.find(b" id ") + 4
            self.ids.add(trace[at:at + 13].decode("latin-1"))


class _Session:
    def __init__(self, crowd):
        self.crowd, self.rcpts = crowd, []
        self.rest, self.content, self.is_over = b"", None, False

    def feed(self, data):
        lines = (self.rest + data).split(b"\r\n")
        self.rest = lines.pop()
        return b"".join(map(self._line, lines))

    def _line(self, line):
        if self.content is not None:
            return self._content(line)
        verb = line[:4].upper()
        if verb == b"RCPT":
            i = int(line[line.index(b"<u") + 2:line.index(b"@")])
            reply = self.crowd.judge(i)
            if reply[:1] == b"2":
                self.rcpts.append(i)
            return reply
        if verb == b"DATA":
            if not self.rcpts:
                return b"554 5.5.1 nobody\r\n"
            self.content = b""
            return b"354 go on\r\n"
        if verb == b"EHLO":
            return self.crowd.EHLO
        if verb in (b"MAIL", b"RSET"):
            self.rcpts = []
        self.is_over = verb == b"QUIT"
        return b"221 2.0.0 bye\r\n" if self.is_over else b"250 2.0.0 ok\r\n"

    def _content(self, line):
        if line != b".":
            if len(self.content) < 1000:
                self.content += line
            return b""
        self.crowd.take(self.rcpts, self.content)
        self.content, self.rcpts = None, []
        return b"250 2.0.0 taken\r\n"


def say_all(peer, numbers, domains, batch=1000, expect=b"250"):
    """RCPT for each of them, pipelined; gives the replies that were not
    EXPECT."""
    replies, others = peer.makefile("rb", 1 << 16), []
    for first in range(0, len(numbers), batch):
        some = numbers[first:first + batch]
        peer.sendall("".join(
            f"RCPT TO:<{address(i, domains)}>\r\n" for i in some).encode())
        for _ in some:
            reply = replies.readline()
            if reply[:3] != expect:
                others.append(reply)
    return others


def begin(relay, size, domains, sender=b"bulk@sender.example"):
    """A client that has said them all; and where its replies are read."""
    c = relay.connect()
    c.hello()
    c.socket.sendall(b"MAIL FROM:<%s>\r\n" % sender)
    replies = c.socket.makefile("rb", 0)
    assert replies.readline()[:3] == b"250"
    others = say_all(c.socket, range(size), domains)
    assert others == [], others[:3]
    return c, replies


def send_content(c, replies, content):
    """Ends what begin() began; the id of the list."""
    c.socket.sendall(b"DATA\r\n")
    assert replies.readline()[:3] == b"354"
    c.socket.sendall(content + b".\r\n")
    reply = replies.readline().decode()
    assert reply[:9] == "250 2.0.0", reply
    c.socket.close()
    return reply.split()[2]
