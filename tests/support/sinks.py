"""Very many next hops in one thread: each listens at an address of its own,
takes everything, and notes what came."""
import asyncio
import ssl
import threading

CLEAR, STARTTLS, IMPLICIT, LMTP = "clear", "starttls", "implicit", "lmtp"


class Sinks:
    """`wanted` maps (host, port) to one of the kinds above; `context` is for
    the two that have TLS.  `got` is a list of (address, sender, recipient,
    number, has_tls) in the order of arrival, where an address is
    "127.0.1.1:25" and a number the content's X-Number or None."""

    def __init__(self, wanted, context=None):
        self.context = context
        self.got = []
        self.loop = asyncio.new_event_loop()
        self.servers = []
        self.is_ready = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run, args=(wanted,),
                                       daemon=True)
        self.thread.start()
        self.is_ready.wait(10)
        if self.failure:
            raise self.failure

    def run(self, wanted):
        asyncio.set_event_loop(self.loop)
        try:
            for (host, port), kind in wanted.items():
                self.servers.append(self.loop.run_until_complete(
                    self.listen(host, port, kind)))
        except OSError as e:
            self.failure = e
            return
        finally:
            self.is_ready.set()
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(
            *tasks, return_exceptions=True))

    def listen(self, host, port, kind):
        async def serve(reader, writer):
            try:
                await Dialogue(self, kind, reader, writer).run()
            except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()
        return asyncio.start_server(
            serve, host, port,
            ssl=self.context if kind == IMPLICIT else None)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        for server in self.servers:
            server.close()


class Dialogue:
    def __init__(self, sinks, kind, reader, writer):
        self.sinks, self.kind = sinks, kind
        self.reader, self.writer = reader, writer
        host, port = writer.get_extra_info("sockname")[:2]
        self.address = f"{host}:{port}"
        self.has_tls = kind == IMPLICIT
        self.sender, self.recipients = "", []

    def hello(self):
        words = ["sink", "PIPELINING", "SIZE"]
        if self.kind == STARTTLS and not self.has_tls:
            words.append("STARTTLS")
        return "".join(f"250{' ' if i + 1 == len(words) else '-'}{word}\r\n"
                       for i, word in enumerate(words)).encode()

    async def content(self):
        """LMTP has a reply for each recipient."""
        self.writer.write(b"354 go\r\n")
        content = await self.reader.readuntil(b"\r\n.\r\n")
        number = header(content, b"X-Number")
        self.sinks.got += [(self.address, self.sender, r, number,
                            self.has_tls) for r in self.recipients]
        return b"250 ok\r\n" * (len(self.recipients)
                                if self.kind == LMTP else 1)

    async def answer(self, line):
        verb = line[:4].upper()
        if verb in ("EHLO", "LHLO"):
            is_lmtp = verb == "LHLO"
            return (self.hello() if is_lmtp == (self.kind == LMTP) else
                    b"500 speak properly\r\n")
        if verb == "MAIL":
            self.sender, self.recipients = path(line), []
        elif verb == "RCPT":
            self.recipients.append(path(line))
        elif verb == "DATA":
            return await self.content()
        return b"250 ok\r\n"

    async def run(self):
        self.writer.write(b"220 sink\r\n")
        while True:
            line = (await self.reader.readuntil(b"\r\n"))[:-2].decode()
            if line.upper() == "QUIT":
                self.writer.write(b"221 bye\r\n")
                return
            if line.upper() == "STARTTLS":
                self.writer.write(b"220 go\r\n")
                await self.writer.start_tls(self.sinks.context)
                self.has_tls = True
                continue
            self.writer.write(await self.answer(line))


def path(line):
    return line.partition("<")[2].rpartition(">")[0]


def header(content, name):
    for line in content.split(b"\r\n\r\n")[0].split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == name.lower():
            return int(value)
    return None
