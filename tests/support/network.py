"""A network namespace of our own, with public addresses on its loopback:
mail by MX must never go to 127.0.0.0/8, so its next hops need others."""
import fcntl
import os
import shutil
import socket
import struct
import sys

from .basics import SKIP, is_root

SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
UP = 1
MARK = "MTAD_TEST_NETWORK"


def request(name, data):
    return struct.pack("16s24s", name.encode(), data)


def set_up(addresses):
    """Brings the loopback up, with these addresses (192.0.2.1 ...) too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i, address in enumerate(["127.0.0.1", *addresses]):
            name = f"lo:{i}" if i else "lo"
            mask = "255.0.0.0" if i == 0 else "255.255.255.255"
            for call, value in ((SIOCSIFADDR, address),
                                (SIOCSIFNETMASK, mask)):
                fcntl.ioctl(s, call, request(name, struct.pack(
                    "HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))))
        flags = struct.unpack("16sH", fcntl.ioctl(
            s, SIOCGIFFLAGS, request("lo", b""))[:18])[1]
        fcntl.ioctl(s, SIOCSIFFLAGS,
                    request("lo", struct.pack("H", flags | UP)))


def enter(addresses):
    """Runs the calling script again inside such a network; skips it where
    that is not possible."""
    if os.environ.get(MARK):
        set_up(addresses)
        return
    if not is_root() or not shutil.which("unshare"):
        print("skipped: needs root and unshare(1)")
        sys.exit(SKIP)
    os.environ[MARK] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", *sys.argv])
