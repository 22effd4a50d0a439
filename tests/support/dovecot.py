"""A Dovecot that only answers questions about users: the real one, and one
that says what a test wants."""
import base64
import grp
import http.server
import json
import os
import pwd
import shutil
import socket
import subprocess
import threading
import urllib.parse

from .basics import is_root, wait_for

TREE = os.path.join(os.environ.get("MTAD_PEERS", "/opt/peers"), "dovecot")
CONFIG = """base_dir = {folder}/run
state_dir = {folder}/run
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
log_path = {folder}/log
protocols =
ssl = no
auth_mechanisms = plain login{more}
auth_verbose = yes
service auth {{
  unix_listener {socket} {{
    mode = 0600
  }}
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = {folder}/users
}}
{oauth}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/
}}
"""
OAUTH = """passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {folder}/oauth2
}}"""
RUN = """set -e
mount --make-rprivate /
[ {installed} = 1 ] || mount -t overlay overlay -o lowerdir={tree}/usr:/usr /usr
exec dovecot -F -c {folder}/conf
"""


def is_installed():
    return shutil.which("dovecot") is not None


def is_there():
    """As the system's own, or the unpacked package, laid over the system in a
    namespace of its own; for root."""
    return is_root() and shutil.which("unshare") is not None and (
        is_installed() or os.path.exists(f"{TREE}/usr/sbin/dovecot"))


class Dovecot:
    """`users` are passwords by name; `tokens` users by token, who are asked
    for at a small HTTP server here."""

    def __init__(self, folder, socket_path, users, tokens=None):
        self.folder = folder
        self.socket = socket_path
        self.process = None
        self.server = None
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        self.write_users(users)
        if tokens is not None:
            self._serve(tokens)
        with open(f"{folder}/conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(
                folder=folder, socket=socket_path, user="nobody",
                group=grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name,
                more="" if tokens is None else " oauthbearer xoauth2",
                oauth="" if tokens is None else OAUTH.format(folder=folder)))

    def write_users(self, users):
        with open(f"{self.folder}/users", "w", encoding="utf-8") as f:
            f.write("".join(f"{user}:{{PLAIN}}{password}\n"
                            for user, password in users.items()))

    def _serve(self, tokens):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):           # pylint: disable=invalid-name
                user = tokens.get(urllib.parse.unquote(
                    self.path.partition("=")[2]))
                body = json.dumps({"user": user, "active": "true"} if user
                                  else {"error": "invalid_token"}).encode()
                self.send_response(200 if user else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        with open(f"{self.folder}/oauth2", "w", encoding="ascii") as f:
            f.write("tokeninfo_url = http://127.0.0.1:"
                    f"{self.server.server_port}/?access_token=\n"
                    "username_attribute = user\nactive_attribute = active\n"
                    "active_value = true\n")

    def start(self):
        # processes of its that answer somebody would outlive it
        command = ["unshare", "-m", "-p", "-f", "--kill-child",
                   "--mount-proc", "sh", "-c", RUN.format(
                       tree=TREE, folder=self.folder,
                       installed=int(is_installed()))]
        with open(f"{self.folder}/out", "ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            wait_for("Dovecot greets", self._greets)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log()}") from None

    def _greets(self):
        if self.process.poll() is not None:
            raise AssertionError("Dovecot ended at its start")
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(2)
                s.connect(self.socket)
                return s.recv(7) == b"VERSION"
        except OSError:
            return False

    def log(self):
        text = ""
        for name in ("out", "log"):
            try:
                with open(f"{self.folder}/{name}", encoding="utf-8",
                          errors="replace") as f:
                    text += f.read()
            except FileNotFoundError:
                pass
        return text

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


GREETING = ("VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
            "MECH\tOAUTHBEARER\nSPID\t7\nCUID\t1\nCOOKIE\t00\nDONE\n")


class Scripted:
    """Plays Dovecot: sends `greeting`, then calls answer(fields, reply) for
    each line that comes, where reply(text) sends a line.  `lines` are those
    that came, `count` the connections."""

    def __init__(self, path, answer, greeting=GREETING):
        self.answer = answer
        self.greeting = greeting
        self.lines = []
        self.count = 0
        self.open = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(5)
        self.path = path
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            self.open.append(s)
            threading.Thread(target=self._talk, args=(s,),
                             daemon=True).start()

    def _talk(self, s):
        def reply(text):
            s.sendall(text.encode() + b"\n")
        try:
            s.sendall(self.greeting.encode())
            for line in s.makefile("r", encoding="utf-8", newline="\n"):
                fields = line.rstrip("\n").split("\t")
                self.lines.append(fields)
                if fields[0] in ("AUTH", "CONT"):
                    self.answer(fields, reply)
        except (OSError, ValueError):
            pass

    def hang_up(self):
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        self.open.clear()

    def close(self):
        if self.listener.fileno() < 0:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()
        os.unlink(self.path)


def response(fields):
    """The SASL response of an AUTH line, as bytes."""
    assert fields[-1].startswith("resp="), fields
    return base64.b64decode(fields[-1][5:])
