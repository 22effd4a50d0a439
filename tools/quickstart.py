#!/usr/bin/env python3
"""Runs a relay for a minute: quickstart.py FOLDER-WITH-THE-PROGRAMS

A temporary directory holds the whole instance; its next hop is a small SMTP
server inside this script.  One message is delivered at once; a second one has
to wait, because its next hop is down, until that is up and the queue is told.
"""
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 20           # seconds that any single step may take

CONFIG = """\
hostname: relay.example.org
runtime: run
listeners:
  - {{address: "127.0.0.1:{port}"}}
relay: {{networks: [127.0.0.0/8]}}
routes:
  - {{to: later.example.net, via: "smtp://127.0.0.1:{later}"}}
  - {{to: "*", via: "smtp://127.0.0.1:{next_hop}"}}
queue: {{path: spool}}
log: {{file: mtad.log}}
"""


class Failed(Exception):
    """A step did not do what it should."""


class NextHop(threading.Thread):
    """An SMTP server that keeps what it gets."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", port))
        self.mail = []
        self.start()

    def run(self):
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(peer,),
                             daemon=True).start()

    def serve(self, peer):
        with peer, peer.makefile("rwb", buffering=0) as f:
            peer.settimeout(PATIENCE)
            f.write(b"220 nexthop.example.net\r\n")
            for line in iter(f.readline, b""):
                verb = line[:4].upper()
                if verb == b"DATA":
                    f.write(b"354 go on\r\n")
                    body = b""
                    while not body.endswith(b"\r\n.\r\n"):
                        part = peer.recv(65536)
                        if not part:
                            return
                        body += part
                    self.mail.append(body[:-3].decode("utf-8", "replace"))
                f.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise Failed(f"waited {PATIENCE} s in vain until {what}")


def title(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}",
          flush=True)


class Relay:
    """One mtad in its directory."""

    def __init__(self, programs, folder, config, port):
        self.programs, self.folder, self.port = programs, folder, port
        self.config = os.path.join(folder, "mtad.yaml")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(config)
        self.process = subprocess.Popen(
            [os.path.join(programs, "mtad"), "-c", self.config])
        wait_for("the relay greets", self.greets)

    def greets(self):
        if self.process.poll() is not None:
            raise Failed(f"mtad ended with {self.process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as s:
                return s.recv(100).startswith(b"220 ")
        except OSError:
            return False

    def ctl(self, *words, show=True):
        command = [os.path.join(self.programs, "mtactl"), "-c", self.config,
                   *words]
        if show:
            print("$ mtactl " + " ".join(words), flush=True)
        p = subprocess.run(command, capture_output=True, text=True,
                           timeout=PATIENCE, check=False)
        if p.returncode != 0:
            raise Failed(f"mtactl {' '.join(words)}: {p.stderr or p.stdout}")
        if show:
            print(p.stdout.rstrip("\n"), flush=True)
        return p.stdout

    def send(self, recipient, subject):
        with smtplib.SMTP("127.0.0.1", self.port, "app.example.org",
                          timeout=PATIENCE) as client:
            client.ehlo()
            client.mail("app@example.org")
            client.rcpt(recipient)
            reply = client.data(
                f"From: app@example.org\r\nTo: {recipient}\r\n"
                f"Subject: {subject}\r\n\r\nHello from an application.\r\n")
        print(f"to {recipient}: {reply[0]} {reply[1].decode()}", flush=True)
        if reply[0] != 250:
            raise Failed("the message was not accepted")

    def stop(self):
        """SIGTERM, then SIGKILL; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed("mtad did not stop") from None


def show_arrived(message):
    """The fields that the relay added, and the rest of the message."""
    print(re.sub(r"^", "    ", message.replace("\r\n", "\n").rstrip("\n"),
                 flags=re.M))


def tour(relay, now, later_port):
    title("The relay runs:")
    relay.ctl("status")

    title("A message goes in ...")
    relay.send("you@example.com", "delivered at once")
    wait_for("the next hop has it", lambda: now.mail)
    title("... and arrives at the next hop:")
    show_arrived(now.mail[0])
    if not now.mail[0].startswith("Received: "):
        raise Failed("the message came without our Received field")

    title("A message whose next hop is down stays in the queue:")
    relay.send("you@later.example.net", "delivered later")
    wait_for("it is deferred", lambda: relay.ctl(
        "queue", "count", "state:deferred", show=False).strip() == "1")
    relay.ctl("queue", "list", "all")
    later = NextHop(later_port)
    print("(the next hop is up now)")
    relay.ctl("queue", "retry", "all")
    wait_for("it is delivered", lambda: later.mail)
    wait_for("the queue is empty", lambda: relay.ctl(
        "queue", "count", "all", show=False).strip() == "0")
    print("It was delivered; the queue is empty.")


def main():
    programs = os.path.abspath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="mtad-quickstart.")
    os.chmod(folder, 0o755)     # its processes run as users of their own
    port, next_hop, later = free_ports(3)
    relay = None
    good = False
    try:
        now = NextHop(next_hop)
        relay = Relay(programs, folder, CONFIG.format(
            port=port, next_hop=next_hop, later=later), port)
        tour(relay, now, later)
        title("It stops when told:")
        code = relay.stop()
        print(f"mtad ended with {code}")
        good = code == 0
    except (Failed, OSError, smtplib.SMTPException,
            subprocess.TimeoutExpired) as e:
        print(f"quickstart: {e}", file=sys.stderr)
    finally:
        if relay is not None and relay.process.poll() is None:
            relay.process.kill()
            relay.process.wait()
        log = os.path.join(folder, "mtad.log")
        if not good and os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as f:
                sys.stderr.write("".join(f.readlines()[-30:]))
        shutil.rmtree(folder, ignore_errors=True)
    if not good:
        return 1
    title("Now with your own configuration:")
    print("""    cp etc/mtad.yaml mtad.yaml         # then edit it: every key is explained
    build/release/bin/mtad -c mtad.yaml -t    # check it
    build/release/bin/mtad -c mtad.yaml       # run it; ^C stops it
    build/release/bin/mtactl -c mtad.yaml status
    ./test                                    # build and try everything""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
