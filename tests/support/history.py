"""The history's files as docs/HISTORY.md describes them, read without our
own code: events of all messages, for comparison with what really happened."""
import collections
import glob
import os
import struct

OUTCOMES = ("delivered", "deferred", "failed", "untried", "in_doubt",
            "expired", "discarded")
ACTIONS = (None, "held", "released", "retried", "reported", "noticed",
           "quarantined", "deleted", "doubted")
HEAD = struct.Struct("<8sIIQQ16sQQ")


def _table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = _table()


def crc32c(data):
    c = 0xffffffff
    for byte in data:
        c = c >> 8 ^ TABLE[(c ^ byte) & 0xff]
    return c ^ 0xffffffff


class Fields:
    def __init__(self, data):
        self.data, self.at = data, 0

    def more(self):
        return self.at < len(self.data)

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        n = shift = 0
        while True:
            byte = self.byte()
            n |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return n

    def text(self):
        n = self.number()
        self.at += n
        return self.data[self.at - n:self.at]


Event = collections.namedtuple("Event", "kind id group who values")


def _recipients(fields, id_, names):
    while fields.more():
        unit, row = fields.number(), fields.number()
        names[id_, unit, row] = fields.text().decode("latin-1")


def _attempt(fields, id_, group, names):
    unit, at, due, tries = (fields.number() for _ in range(4))
    fields.byte()
    hosts = fields.text()
    if hosts:
        yield Event("attempt", id_, group, None, {"at": at})
    while fields.more():
        first = fields.number()
        last = first + fields.number()
        outcome = fields.byte()
        fields.number()
        code = fields.number()
        fields.text()
        n = fields.number()
        fields.at += max(0, n - 1)
        for row in range(first, last + 1):
            yield Event(OUTCOMES[outcome & 0x7f], id_, group,
                        names.get((id_, unit, row)),
                        {"code": code, "tries": tries, "due": due,
                         "is_settled": outcome >= 0x80})


def _record(kind, id_, data, names, events):
    """Events whose group is not known yet."""
    fields = Fields(data)
    if kind == 1:
        fields.number(), fields.number(), fields.number()
        fields.byte()
        sender = fields.text().decode("latin-1")
        fields.text(), fields.text()
        _recipients(fields, id_, names)
        events.append(Event("accepted", id_, None, sender, {}))
    elif kind == 2:
        _recipients(fields, id_, names)
    elif kind == 3:
        events.extend(_attempt(fields, id_, None, names))
    elif kind == 4:
        fields.number()
        what = ACTIONS[fields.number()]
        fields.number()
        value = fields.number()
        events.append(Event(what, id_, None,
                            fields.text().decode("latin-1"),
                            {"value": value}))
    elif kind == 5:
        fields.number()
        events.append(Event("lost", 0, None, None,
                            {"from": fields.number(),
                             "to": fields.number()}))


def _head(path):
    with open(path, "rb") as f:
        head = HEAD.unpack(f.read(64))
    assert head[0] == b"MTADHIS\n" and head[2] == 1, path
    return head


def read(spool, sums=False):
    """All events, in order; every mark's group must be greater than the one
    before, of the same spool.  `sums` checks each record's (slow)."""
    paths = sorted(glob.glob(os.path.join(spool, "history", "*.log")))
    valid = {}
    for before, path in zip(paths, paths[1:]):
        valid[before] = _head(path)[7]
    names, all_events, last, uuid = {}, [], 0, None
    for path in paths:
        if _head(path)[5] != uuid:      # restored from a copy
            uuid, last = _head(path)[5], 0
        with open(path, "rb") as f:
            data = f.read()
        at, end, events = 64, valid.get(path) or len(data), []
        while at < end:
            total, length, kind, _, id_ = struct.unpack_from("<IHBBQ", data,
                                                             at)
            record = data[at:at + length]
            assert len(record) == length >= 16, (path, at)
            assert not sums or crc32c(record[4:]) == total, (path, at)
            if kind == 6:
                assert id_ > last, (path, at, id_, last)
                last = id_
                all_events += [e._replace(group=id_) for e in events]
                events = []
            else:
                _record(kind, id_, record[16:], names, events)
            at += length
    return all_events


class Ledger:
    """What a history says became of recipients whose address is theirs
    alone."""

    def __init__(self, spool):
        self.doubts = collections.Counter()     # by address, and by id
        self.delivered = set()
        self.ids, self.reports = {}, {}
        for e in read(spool):
            if e.kind == "in_doubt":
                self.doubts[e.who] += 1
                self.doubts[e.id] += 1
            elif e.kind == "reported":
                self.reports.setdefault(e.id, []).append(e.values["value"])
            elif e.kind == "delivered":
                self.delivered.add(e.who)
            if e.who is not None and e.kind in OUTCOMES:
                self.ids[e.who] = e.id

    def marked(self):
        """Recipients of whom an attempt is in doubt."""
        return sum(isinstance(who, str) for who in self.doubts)

    def report_doubts(self, who):
        """Attempts in doubt of the reports about WHO's message."""
        return sum(self.doubts[r]
                   for r in self.reports.get(self.ids.get(who), ()))


def check_repeats(ledger, arrived):
    """An arrival more than one is an attempt whose final reply was not seen,
    and is told so; what is told as delivered did arrive.  ARRIVED: how often
    the message to an address did."""
    unmarked = [(who, n, ledger.doubts[who]) for who, n in arrived.items()
                if n > 1 + ledger.doubts[who]]
    assert not unmarked, (f"repeated more often than in doubt: "
                          f"{len(unmarked)} {unmarked[:20]}")
    false = [who for who, n in arrived.items()
             if not n and who in ledger.delivered]
    assert not false, f"told as delivered, never arrived: {false[:20]}"


def last(spool):
    """The group of the last mark, of the last file."""
    paths = sorted(glob.glob(os.path.join(spool, "history", "*.log")))
    if not paths:
        return 0
    with open(paths[-1], "rb") as f:
        data = f.read()
    at, group = 64, 0
    while at + 16 <= len(data):
        _, length, kind, _, id_ = struct.unpack_from("<IHBBQ", data, at)
        if length < 16 or at + length > len(data):
            break
        group = id_ if kind == 6 else group
        at += length
    return group


def check(spool, is_empty=True, may_lose=False):
    """What must hold of any history: each accepted recipient ends once, each
    end is of an accepted one.  Counts of events by kind.  `may_lose`: where no
    file could be made it says that it lost some, and nobody ends twice."""
    ends = collections.Counter()
    accepted = collections.Counter()
    counts = collections.Counter()
    events = read(spool)
    lost = [e for e in events if e.kind == "lost"]
    for e in events:
        counts[e.kind] += 1
        if e.kind == "accepted":
            accepted[e.id] += 1
        elif e.values.get("is_settled"):
            assert e.who is not None or may_lose, (
                e, [o for o in events if o.id == e.id], lost)
            if e.who is not None:
                ends[e.id, e.who] += 1
    assert counts["lost"] == 0 or may_lose, counts
    doubled = [id_ for id_, n in accepted.items() if n != 1]
    assert not doubled, f"accepted twice: {doubled[:5]}"
    twice = [key for key, n in ends.items() if n != 1]
    assert not twice, f"ended twice: {twice[:5]}"
    if counts["lost"] > 0:
        return counts
    strange = {id_ for id_, _ in ends} - set(accepted)
    assert not strange, f"never accepted: {list(strange)[:5]}"
    if is_empty:
        open_ = set(accepted) - {id_ for id_, _ in ends}
        assert not open_, f"no end: {list(open_)[:5]}"
    return counts
