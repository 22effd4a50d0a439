"""A DNS server that answers as scripted, over UDP and TCP."""
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12,
         "MX": 15, "TXT": 16, "AAAA": 28, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
# Instead of a list of records:
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5
SILENCE, TRUNCATED, GARBAGE = "silence", "truncated", "garbage"


def encode_name(name):
    labels = [part for part in name.split(".") if part]
    return b"".join(bytes([len(part)]) + part.encode() for part in labels
                    ) + b"\0"


def decode_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels), at + 1


def encode_data(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        preference, host = value
        return struct.pack(">H", preference) + encode_name(host)
    if kind == "TXT":                   # text, or bytes as they are
        data = value.encode() if isinstance(value, str) else value
        return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255]
                        for i in range(0, len(data), 255)) or b"\0"
    if kind == "TLSA":                  # bytes as they are
        return value
    return encode_name(value)


class NameServer:
    """`zone` maps (name, type) to records: a list of addresses, of
    (preference, host), of names; to one of the words above; or to a function
    that makes the packet from the query and its question part.  A name that
    has no entry at all does not exist.  With `says_ad` all is validated, as
    it says."""

    def __init__(self, zone=None, host="127.0.0.1", port=0,
                 says_ad=False, ttl=60):
        self.zone = dict(zone or {})
        self.flags = 0x81A0 if says_ad else 0x8180
        self.ttl = ttl
        self.asked = []                 # (name, type, "udp" or "tcp")
        self.lock = threading.Lock()
        self.tcp = socket.create_server((host, port))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((host, self.port))
        for target in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    def close(self):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def count(self, name, kind):
        with self.lock:
            return sum(1 for n, k, _ in self.asked if (n, k) == (name, kind))

    def serve_udp(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
                answer = self.answer(query, "udp")
                if answer:
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                peer, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(peer,),
                             daemon=True).start()

    def serve_one(self, peer):
        with peer, peer.makefile("rb") as f:
            peer.settimeout(10)
            try:
                while True:
                    head = f.read(2)
                    if len(head) < 2:
                        return
                    query = f.read(struct.unpack(">H", head)[0])
                    answer = self.answer(query, "tcp")
                    if answer:
                        peer.sendall(struct.pack(">H", len(answer)) + answer)
            except OSError:
                return

    def answer(self, query, transport):
        if len(query) < 17:
            return None
        ident, = struct.unpack(">H", query[:2])
        name, at = decode_name(query, 12)
        number, = struct.unpack(">H", query[at:at + 2])
        question = query[12:at + 4]
        kind = NAMES.get(number, str(number))
        with self.lock:
            self.asked.append((name.lower(), kind, transport))
            records = self.lookup(name.lower(), kind)
        if callable(records):
            return records(query, question)
        if records == SILENCE:
            return None
        if records == GARBAGE:          # a pointer to itself
            return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + \
                b"\xc0" + bytes([len(question) + 12]) + b"\0\x0f\0\1"
        if records == TRUNCATED and transport == "udp":
            return struct.pack(">HHHHHH", ident, 0x8380, 1, 0, 0, 0) + question
        if records == TRUNCATED:
            records = self.zone[(name.lower(), kind, "tcp")]
        if isinstance(records, int):
            return struct.pack(">HHHHHH", ident, self.flags | records, 1, 0, 0,
                               0) + question
        rows = self.rows(name, kind, records)
        return struct.pack(">HHHHHH", ident, self.flags, 1, len(rows), 0, 0
                           ) + question + b"".join(rows)

    def lookup(self, name, kind):
        if (name, kind) in self.zone:
            return self.zone[(name, kind)]
        if (name, "CNAME") in self.zone:
            return ["CNAME"]
        exists = any(entry[0] == name for entry in self.zone)
        return [] if exists else NXDOMAIN

    def rows(self, name, kind, records):
        """The records, after the aliases that lead to them."""
        rows = []
        for _ in range(10):
            if records != ["CNAME"]:
                break
            target = self.zone[(name.lower(), "CNAME")][0]
            rows.append(self.row(name, "CNAME", target))
            name = target
            records = self.lookup(name.lower(), kind)
            if not isinstance(records, list):
                records = []
        if records == ["CNAME"]:
            return rows
        return rows + [self.row(name, kind, value) for value in records]

    def row(self, name, kind, value):
        data = encode_data(kind, value)
        return encode_name(name) + struct.pack(
            ">HHIH", TYPES[kind], 1, self.ttl, len(data)) + data
