"""Waiting, free ports, and how a test script ends."""
import os
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


def free_ports(count, host="127.0.0.1"):
    """Ports that nobody uses at this moment, all different."""
    sockets = []
    for _ in range(count):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, 0))
        sockets.append(s)
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
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
