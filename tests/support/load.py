"""Load with accounts: bench/smtpblast sends numbered messages, smtpsinkd
counts them and checks every byte; afterwards the two lists are compared."""
import mmap
import os
import signal
import struct
import subprocess

from .basics import SOURCE, free_ports, wait_for

ACKED, UNKNOWN, REJECTED = 1, 2, 4
HEAD = struct.Struct("<16Q")
FIELDS = ("magic", "n", "total", "unique", "dup", "foreign", "corrupt",
          "bytes", "conns", "first", "last", "rejected", "open")
CACHE = os.path.join(SOURCE, ".cache", "tests")


def tool(name):
    """Path of the compiled program; made when it is not there or old."""
    source = os.path.join(SOURCE, "bench", f"{name}.c")
    binary = os.path.join(CACHE, name)
    if not os.path.exists(binary) or \
            os.path.getmtime(binary) < os.path.getmtime(source):
        os.makedirs(CACHE, exist_ok=True)
        scratch = f"{binary}.{os.getpid()}"
        subprocess.run(["cc", "-std=c11", "-O2", "-D_GNU_SOURCE", "-o",
                        scratch, source, "-lssl", "-lcrypto"], check=True)
        os.rename(scratch, binary)
    return binary


class State:
    """A state file of one of the two, readable while they run."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.map = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)

    def figures(self):
        return dict(zip(FIELDS, HEAD.unpack_from(self.map)))

    def flags(self):
        return self.map[HEAD.size:]


def fill(port, folder, count, sessions=50, size=1024, name="run"):
    """Sends that many messages, whatever becomes of them; their State, for
    a Load that is made afterwards."""
    path = os.path.join(folder, f"{name}.sent")
    subprocess.run([tool("smtpblast"), "-p", str(port), "-n", str(count),
                    "-c", str(sessions), "-s", str(size), "-R", name, "-S",
                    path, "-P"], stdout=subprocess.DEVNULL, check=True)
    return State(path)


class Load:
    """A sink at `port`, with smtpsinkd's options; start() lets a blast of
    `sessions` sessions loose."""

    def __init__(self, folder, name="run", delay_ms=0, count=1000000,
                 port=None, options=()):
        self.folder, self.name, self.count = folder, name, count
        self.port = port or free_ports(1)[0]
        self.sink_path = os.path.join(folder, f"{name}.sink")
        self.sent_path = os.path.join(folder, f"{name}.sent")
        self.sink = subprocess.Popen(
            [tool("smtpsinkd"), "-p", str(self.port), "-n", str(count),
             "-R", name, "-S", self.sink_path, "-d", str(delay_ms),
             *options],
            stdout=subprocess.DEVNULL)
        wait_for("the sink's state", lambda: os.path.exists(self.sink_path)
                 and os.path.getsize(self.sink_path) > HEAD.size)
        self.received = State(self.sink_path)
        self.blast = self.sent = None

    def start(self, port, sessions=60, size=2048, messages=None, *options):
        self.blast = subprocess.Popen(
            [tool("smtpblast"), "-p", str(port), "-n",
             str(messages or self.count), "-c", str(sessions), "-s",
             str(size), "-R", self.name, "-S", self.sent_path, "-P",
             *options], stdout=subprocess.DEVNULL)
        wait_for("the blast's state", lambda: os.path.exists(self.sent_path)
                 and os.path.getsize(self.sent_path) > HEAD.size)
        self.sent = State(self.sent_path)

    def acked(self):
        return self.sent.figures()["total"]

    def in_flight(self):
        """Each session of the blast is always inside a transaction."""
        return self.sent.figures()["open"]

    def arrived(self):
        return self.received.figures()["unique"]

    def finish(self):
        """Ends the blast, where it is."""
        self.blast.send_signal(signal.SIGTERM)
        self.blast.wait(20)

    def arrivals(self, domain="sink.test"):
        """How often the message to each recipient arrived, as far as any was
        sent."""
        return {f"u{n}.0@{domain}": count for n, (flags, count) in
                enumerate(zip(self.sent.flags(), self.received.flags()))
                if flags or count}

    def known(self):
        """Numbers of the messages that were acknowledged, and of those whose
        fate the blast does not know."""
        acked, unknown = set(), set()
        for n, flags in enumerate(self.sent.flags()):
            if flags & ACKED:
                acked.add(n)
            elif flags & UNKNOWN:
                unknown.add(n)
        return acked, unknown

    def close(self):
        for process in (self.blast, self.sink):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def compare(self):
        """What became of the messages: counts by kind."""
        sent, got = self.sent.flags(), self.received.flags()
        figures = self.received.figures()
        result = {"acked": 0, "unknown": 0, "lost": 0, "phantom": 0,
                  "repeated": 0, "repeats": 0,
                  "corrupt": figures["corrupt"],
                  "foreign": figures["foreign"]}
        for flags, count in zip(sent, got):
            if not flags and not count:
                continue
            if flags & ACKED:
                result["acked"] += 1
                result["lost"] += not count
            elif flags & UNKNOWN:
                result["unknown"] += 1
            elif count:
                result["phantom"] += 1
            if count > 1:
                result["repeated"] += 1
                result["repeats"] += count - 1
        return result
