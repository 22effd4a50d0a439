"""A real web server, nginx, that serves a folder by HTTPS."""
import os
import shutil
import subprocess
import tempfile

from .basics import wait_for
from .unbound import program

PROGRAM = program("nginx")


def is_there():
    return os.access(PROGRAM, os.X_OK)


class Nginx:
    """`names` are of hosts, whose files lie in FOLDER/NAME; all of them show
    `certificate` (support.dane.Server).  What has no type is text/plain."""

    def __init__(self, host, certificate, names, port=443):
        self.folder = tempfile.mkdtemp(prefix="mtad-nginx.")
        os.chmod(self.folder, 0o755)
        self.names = names
        servers = "".join(f"""
    server {{
        listen {host}:{port} ssl;
        server_name {name};
        root "{self.folder}/{name}";
    }}""" for name in names)
        places = "".join(f'    {kind}_temp_path "{self.folder}/{kind}";\n'
                         for kind in ("client_body", "proxy", "fastcgi",
                                      "uwsgi", "scgi"))
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"""
daemon off;
master_process off;
pid "{self.folder}/pid";
error_log "{self.folder}/error.log";
events {{}}
http {{
    access_log "{self.folder}/access.log";
    default_type text/plain;
{places}
    ssl_certificate "{certificate.chain}";
    ssl_certificate_key "{certificate.key}";
{servers}
}}
""")
        self.process = subprocess.Popen(
            [PROGRAM, "-c", path, "-e", f"{self.folder}/error.log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_for("nginx listens", self._listens)

    def _listens(self):
        assert self.process.poll() is None, self.log("error")
        return os.path.exists(os.path.join(self.folder, "pid"))

    def log(self, name="access"):
        with open(os.path.join(self.folder, f"{name}.log"),
                  encoding="utf-8", errors="replace") as f:
            return f.read()

    def put(self, name, path, text):
        """A file of that host."""
        path = os.path.join(self.folder, name, path.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
