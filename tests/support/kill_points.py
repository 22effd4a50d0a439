"""kill -9 at named points of the path accept -> deliver -> report, under load,
and the accounts.

A point is a process, a call and what it is about, and a moment: before the
call, after it, or when half of it is written.  Either only that process dies
there, or everything at once: the process is frozen at the point while all are
killed.  The points marked `start` are those of a process that comes back: it
is killed somewhere, and its successor at the point."""
import os
import random
import re
import shutil
import signal
import tempfile
import time

from . import basics, faults, history, load, nexthop, relay, volume

SESSIONS = 60
CONNECTIONS = 20
BOTH, ALL = ("before", "after"), ("before", "half", "after")

# process, call, object, moments, and among how many calls one is chosen
RUNNING = (
    ("queued", "recvmsg", "to_smtpd", BOTH, 100),
    ("queued", "pwrite", "log", ALL, 100),
    ("queued", "fdatasync", "log", BOTH, 50),
    ("queued", "send", "to_smtpd", ALL, 100),
    ("queued", "send", "to_deliverd", ALL, 100),
    ("queued", "recvmsg", "to_deliverd", BOTH, 100),
    ("queued", "pwrite", "spare", ALL, 5),
    ("queued", "fdatasync", "spare", BOTH, 1),
    ("queued", "rename", "spare", BOTH, 1),
    ("queued", "rename", "log", BOTH, 1),
    ("queued", "fsync", "log_dir", BOTH, 2),
    ("queued", "open", "body", BOTH, 10),
    ("queued", "pwrite", "body", ALL, 20),
    ("queued", "fdatasync", "body", BOTH, 5),
    ("queued", "fsync", "body_dir", BOTH, 5),
    ("queued", "pread", "body", BOTH, 10),
    ("queued", "unlink", "body", BOTH, 5),
    ("queued", "writev", "index", BOTH, 2),
    ("queued", "fdatasync", "index", BOTH, 2),
    ("queued", "pwrite", "index_meta", ALL, 2),
    ("smtpd", "recv", "net", BOTH, 500),
    ("smtpd", "send", "net", ALL, 500),
    ("smtpd", "send", "to_queued", ALL, 100),
    ("smtpd", "recvmsg", "to_queued", BOTH, 100),
    ("deliverd", "recvmsg", "to_queued", BOTH, 100),
    ("deliverd", "send", "to_queued", ALL, 100),
    ("deliverd", "send", "net", ALL, 300),
    ("deliverd", "recv", "net", BOTH, 300),
)
# what a process does when it begins
START = (
    ("queued", "recvmsg", "parent", BOTH, 1),
    ("queued", "open", "index", BOTH, 1),
    ("queued", "open", "log", BOTH, 1),
    ("queued", "pread", "log", BOTH, 3),
    ("queued", "fdatasync", "log", BOTH, 1),
    ("queued", "pwrite", "log", ALL, 1),
    ("queued", "send", "parent", BOTH, 1),
    ("queued", "send", "new", BOTH, 1),
    ("queued", "recvmsg", "new", BOTH, 2),
    ("smtpd", "recvmsg", "parent", BOTH, 2),
    ("smtpd", "send", "new", BOTH, 1),
    ("smtpd", "accept", "net", BOTH, 20),
    ("deliverd", "recvmsg", "parent", BOTH, 2),
    ("deliverd", "send", "new", BOTH, 1),
    ("deliverd", "connect", "net", BOTH, 3),
)
# the parent, when it begins, and when a child of its begins
BOOT = (
    ("mtad", "pwrite", "file", BOTH, 1),
    ("mtad", "fsync", "file", BOTH, 1),
    ("mtad", "rename", "file", BOTH, 1),
)
PARENT = (
    ("mtad", "socket", "none", BOTH, 2),
    ("mtad", "sendmsg", "new", BOTH, 2),
    ("mtad", "recvmsg", "new", BOTH, 1),
)


class Point:
    """Where and how one round kills."""

    def __init__(self, row, moment, how):
        process, call, what, _, self.among = row
        self.process, self.place = process, f"{process} {call} {what}"
        self.moment, self.how = moment, how
        self.is_start, self.is_boot = row not in RUNNING, row in BOOT
        # the parent's children end with it
        self.is_all = how == "all" or process == "mtad"

    def __str__(self):
        return " ".join((self.place, self.moment, "start" if self.is_start
                         else "running", self.how))


def points():
    """All of them, those with one process's death first."""
    result = []
    for how in ("one", "all"):
        for row in RUNNING + START + BOOT + PARENT:
            if row[0] == "mtad" and how == "all":
                continue        # its own death is that of all
            result += [Point(row, moment, how) for moment in row[3]]
    return sorted(result, key=lambda point: point.is_all)


class Reports(nexthop.NextHop):
    """Takes reports; by number of the message, the ids of those about it."""

    NUMBER = re.compile(rb"^X-Bench-Id: refused\.(\d+)\.", re.MULTILINE)
    ID = re.compile(rb"^Message-ID: (\S+)", re.MULTILINE | re.IGNORECASE)

    def about(self):
        result = {}
        for message in self.messages:
            number = self.NUMBER.search(message.content)
            name = self.ID.search(message.content)
            assert number and name, message.content[:2000]
            result.setdefault(int(number.group(1)), []).append(name.group(1))
        return result


class Traffic:
    """Small mail, large mail and mail that is refused and reported of, from
    one end to the other of a relay that is killed meanwhile."""

    def __init__(self, shim=True):
        self.folder = tempfile.mkdtemp(prefix="mtad-test.")
        os.chmod(self.folder, 0o755)
        # room for all of the history, too: of a full disk its oldest files go
        # first, and with them who the recipients were
        self.volume = volume.Disk(os.path.join(self.folder, "spool"), 2048)
        self.shim = faults.Shim(self.folder) if shim else None
        self.relay = relay.Relay(
            start=False, folder=self.folder, log={"level": "info"},
            limits={"connections_per_client": 500},
            deliver={"connections": CONNECTIONS})
        self.small = load.Load(self.folder, "small", delay_ms=1)
        self.large = load.Load(self.folder, "large", delay_ms=1)
        self.refused = load.Load(self.folder, "refused",
                                 options=("-f", "rcpt:550"))
        port = basics.free_ports(1)[0]
        self.reports = Reports(port)
        self.relay.configure(routes=[
            {"to": domain, "via": f"smtp://127.0.0.1:{at}"}
            for domain, at in (("large.test", self.large.port),
                               ("refused.test", self.refused.port),
                               ("report.test", port),
                               ("*", self.small.port))])

    def start(self):
        self.relay.start()
        port = self.relay.port
        self.small.start(port, SESSIONS)
        self.large.start(port, 4, 600000, None, "--domain", "large.test",
                         "--rate", "15")
        self.refused.start(port, 4, 2048, None, "--domain", "refused.test",
                           "--rate", "40", "--from", "a@report.test")

    def wait_flow(self, small=2 * SESSIONS):
        """Mail is taken and delivered; at least SESSIONS - 10 are at it.
        Each session may still find one reply of a relay that died, and does
        not know until then that it has to connect again: only more than one
        each come from the relay that lives."""
        arrived = self.small.arrived()
        basics.wait_for("mail is delivered",
                        lambda: self.small.arrived() > arrived + 20)
        acked = self.small.acked()
        basics.wait_for("mail is accepted",
                        lambda: self.small.acked() > acked + small and
                        self.small.in_flight() >= 50)

    def kill_all(self):
        self.relay.kill_all()
        self.relay.start()

    def finish(self):
        for one in (self.small, self.large, self.refused):
            one.finish()
        self.relay.retry("all")
        self.relay.wait_empty(60)

    def close(self):
        for one in (self.small, self.large, self.refused):
            one.close()
        self.reports.close()
        self.relay.remove()
        if self.shim is not None:
            self.shim.close()
        self.volume.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- accounts -----------------------------------------------------------
    def check(self, may_lose_history=False):
        """What became of the mail, as words; raises AssertionError.  The
        relay has stopped: its history is whole."""
        disk = os.statvfs(os.path.join(self.folder, "spool"))
        assert disk.f_bavail * 2 > disk.f_blocks, \
            "the disk of this test is too small for such traffic"
        small, large = self.small.compare(), self.large.compare()
        for kind in ("lost", "phantom", "corrupt", "foreign"):
            assert small[kind] == 0, f"{kind}: {small}"
            assert large[kind] == 0, f"{kind}, large: {large}"
        spool = os.path.join(self.folder, "spool")
        history.check(spool, may_lose=may_lose_history)
        ledger = history.Ledger(spool)
        history.check_repeats(ledger, self.small.arrivals())
        history.check_repeats(ledger, self.large.arrivals("large.test"))
        reports = self.check_reports(ledger)
        return (f"{small['acked'] + large['acked']} acknowledged, "
                f"{small['repeated'] + large['repeated']} repeated, "
                f"{ledger.marked()} in doubt, {reports} reported")

    def check_reports(self, ledger):
        """Exactly one for each refused message; one report may arrive twice
        for the reasons for which any message may."""
        acked, unknown = self.refused.known()
        reports = self.reports.about()
        missing = acked - set(reports)
        assert not missing, f"never reported: {sorted(missing)}"
        foreign = set(reports) - acked - unknown
        assert not foreign, f"reported, never accepted: {sorted(foreign)}"
        for number, ids in reports.items():
            assert len(set(ids)) == 1, f"{number} has {len(set(ids))} reports"
            doubts = ledger.report_doubts(f"u{number}.0@refused.test")
            assert len(ids) <= 1 + doubts, \
                f"{number}: its report came {len(ids)} times, {doubts} in doubt"
        return len(reports)


def kill(r, name):
    """By the system's table: mtactl would ask queued, which may be the one
    that is to die of the next call."""
    for pid in r.session():
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                if f.read().strip() == name:
                    os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


class Pins:
    """A segment that something else links to, as a backup does, is not used
    again: spares have to be made."""

    def __init__(self, t, point):
        self.log = os.path.join(t.folder, "spool", "log")
        self.folder = os.path.join(t.folder, "spool", "pins")
        self.is_wanted = " spare " in str(point)
        if self.is_wanted:
            os.makedirs(self.folder)

    def renew(self):
        if not self.is_wanted:
            return
        there = {n for n in os.listdir(self.log) if n.startswith("log.")}
        here = set(os.listdir(self.folder))
        for name in here - there:
            os.unlink(os.path.join(self.folder, name))
        for name in there - here:
            try:
                os.link(os.path.join(self.log, name),
                        os.path.join(self.folder, name))
            except FileNotFoundError:
                pass

    def clear(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def kill_at(t, point, chance):
    """One round; messages in flight, or None when the point was not
    reached."""
    moment = ("kill_" if point.how == "one" else "stop_") + point.moment
    t.shim.order(point.place, moment, chance.randrange(point.among) + 1)
    flying = t.small.in_flight()
    pins = Pins(t, point)
    if point.is_boot:
        t.relay.kill_all()
        t.relay.start(is_served=False)
    elif point.is_start:
        # a child of the parent's must come back
        kill(t.relay, "queued" if point.process == "mtad" else point.process)
    end = time.monotonic() + 15
    while not t.shim.hits():
        if not point.is_start:
            flying = t.small.in_flight()
        if time.monotonic() > end:
            t.shim.cancel()
            pins.clear()
            return None
        pins.renew()
        time.sleep(0.001)
    t.shim.cancel()
    pins.clear()
    if point.how == "all":
        t.kill_all()
    elif point.process == "mtad":
        basics.wait_for("the children end by themselves",
                        lambda: not t.relay.session())
        t.relay.process.wait()
        t.relay.start()
    return flying


def run(batch, seed, say=print):
    """Kills at each point of the batch, in one life of the traffic; the names
    of the points that were reached.  Raises AssertionError for anything lost,
    corrupt, invented, doubled without a mark, or reported other than once."""
    chance = random.Random(seed)
    t = Traffic()
    reached, least = [], SESSIONS
    try:
        t.start()
        t.relay.kills = 1000    # the test's own
        for point in batch:
            t.wait_flow()
            flying = kill_at(t, point, chance)
            if flying is None:
                say(f"not reached: {point}", flush=True)
                continue
            reached.append(str(point))
            least = min(least, flying)
            assert flying >= 50, f"{flying} in flight at {point}"
        t.wait_flow()
        t.finish()
        t.relay.stop()
        say(f"{len(reached)} kills, at least {least} in flight: {t.check()}",
            flush=True)
    except BaseException:
        say(f"seed {seed}: " + "; ".join(map(str, batch)))
        say(t.relay.log_tail())
        raise
    finally:
        t.close()
    return reached
