"""An HTTPS server for policies of MTA-STS: Python's own, with a certificate for
each name, and answers as scripted."""
import http.server
import threading
import time

PATH = "/.well-known/mta-sts.txt"
PLAIN = "text/plain"


def policy(*mx, mode="enforce", max_age=604800):
    """Its text, as most people write it."""
    return "".join(f"{line}\r\n" for line in (
        "version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx),
        f"max_age: {max_age}"))


class Answer:
    """What is sent for a policy; `slow` is how long each octet of the body
    takes."""

    def __init__(self, text, status=200, kind=PLAIN, slow=0, **fields):
        self.body = text.encode() if isinstance(text, str) else text
        self.status, self.kind, self.slow = status, kind, slow
        self.fields = fields


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        host = self.headers.get("Host", "").split(":", maxsplit=1)[0]
        answer = self.server.owner.note(host.lower(), self.path)
        self.send_response(answer.status)
        if answer.kind:
            self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if not answer.slow:
            self.wfile.write(answer.body)
        for octet in answer.body if answer.slow else b"":
            time.sleep(answer.slow)
            self.wfile.write(bytes([octet]))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100
    owner = None

    def handle_error(self, *_):
        """Clients that do not like our certificate."""


class PolicyHost:
    """`answers` maps the name of a host to its Answer, or to the text of a
    policy; `certificates` to what is shown by that name (support.dane.Server),
    with None for all others."""

    def __init__(self, host, certificates, port=443):
        self.answers, self.certificates = {}, certificates
        self.requests, self.lock = [], threading.Lock()
        contexts = {name: server.context()
                    for name, server in certificates.items()}
        context = contexts[None]

        def choose(stream, name, _):
            stream.context = contexts.get(name, contexts[None])

        context.sni_callback = choose
        self.server = Server((host, port), Handler, False)
        self.server.owner = self
        self.server.server_bind()
        self.server.server_activate()
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True,
                         kwargs={"poll_interval": 0.05}).start()

    def note(self, host, path):
        """The answer to a request that came."""
        with self.lock:
            self.requests.append(host)
            answer = self.answers.get(host) if path == PATH else None
        if answer is None:
            return Answer("", 404)
        return answer if isinstance(answer, Answer) else Answer(answer)

    def count(self, domain):
        with self.lock:
            return self.requests.count(f"mta-sts.{domain}")

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
