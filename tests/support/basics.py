"""Waiting, free ports, and how a test script ends."""
import os
import random
import socket
import sys
import time
import unittest

SOURCE = os.path.abspath(os.environ.get(
    "MTAD_SOURCE", os.path.join(os.path.dirname(__file__), "../..")))
BIN = os.path.abspath(os.environ.get(
    "MTAD_BIN", os.path.join(SOURCE, "build/release/bin")))
IS_SANITIZED = os.environ.get("MTAD_SANITIZE", "OFF") not in ("", "OFF", "0")
# Sanitized processes start and run some times slower.
PATIENCE = 40 if IS_SANITIZED else 20
SKIP = 77               # the exit code by which ctest knows a skipped test
_claims = []            # sockets that stand for the ports of free_ports


def wait_for(what, condition, seconds=PATIENCE, pause=0.02):
    """Calls condition until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)


def _ports_of_tests():
    """Those that the kernel gives to nobody who asks for any port."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    return range(10000, first) if first >= 12000 else range(10000, 32768)


def free_ports(count, host="127.0.0.1"):
    """Ports that nobody uses, all different, and that no other test gets
    while this process lives: whoever wants a dead next hop can rely on it.
    A name of the abstract Unix namespace stands for each port taken."""
    everyone = _ports_of_tests()
    ports = []
    while len(ports) < count:
        port = random.choice(everyone)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0mtad-test-port-{port}")
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((host, port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        ports.append(port)
    return ports


def is_root():
    return os.geteuid() == 0


def main():
    """Runs the test classes of the calling script; exit code 77 if all of
    them were skipped."""
    program = unittest.main(module="__main__", exit=False, verbosity=2,
                            warnings="ignore")
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun and len(result.skipped) >= result.testsRun:
        sys.exit(SKIP)
    sys.exit(0)
