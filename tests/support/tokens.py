"""A token endpoint (RFC 6749) that answers as told."""
import json
import socket
import threading
import urllib.parse


class TokenServer:
    """`script` answers each request by a (status, object or bytes), by None
    (silence until the client goes), or is a function of the form that gives
    one of these; a list is used up one by one, and its last entry stays.
    `forms` are the requests."""

    def __init__(self, certificate, script, port=0):
        self.context = certificate.server()
        self.script, self.lock = script, threading.Lock()
        self.forms, self.requests = [], []
        self.socket = socket.create_server(("127.0.0.1", port), backlog=100)
        self.port = self.socket.getsockname()[1]
        self.url = f"https://localhost:{self.port}/oauth2/token"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(plain,),
                             daemon=True).start()

    def talk(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as s:
                s.settimeout(60)
                head, body = self.read(s)
                form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
                with self.lock:
                    self.requests.append((head, body))
                    self.forms.append(form)
                    action = self.script
                    if isinstance(action, list):
                        action = (action.pop(0) if len(action) > 1
                                  else action[0])
                if callable(action):
                    action = action(form)
                if action is None:
                    s.recv(1)
                    return
                self.answer(s, *action)
        except (OSError, ValueError):
            pass

    @staticmethod
    def read(s):
        data = b""
        while b"\r\n\r\n" not in data:
            part = s.recv(65536)
            if not part:
                raise OSError
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += s.recv(65536)
        return head.decode("ascii"), body.decode("ascii")

    @staticmethod
    def answer(s, status, content):
        body = (content if isinstance(content, bytes)
                else json.dumps(content).encode())
        s.sendall(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                  b"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n"
                  % (status, len(body)) + body)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def grant(token, life=3600, **more):
    """A good answer."""
    return 200, {"access_token": token, "token_type": "Bearer",
                 "expires_in": life, **more}


def counted(stem="token", life=3600, **more):
    """STEM-1, STEM-2 and so on."""
    counter = iter(range(1, 10000))
    return lambda form: grant(f"{stem}-{next(counter)}", life, **more)
