"""Files of users and passwords, and a client of SCRAM-SHA-256."""
import base64
import hashlib
import hmac
import os
import subprocess


def crypt_line(user, password):
    """SHA-512 as crypt(3) makes it; with few rounds, as tests are many."""
    out = subprocess.run(["openssl", "passwd", "-6", "-salt", "saltsalt",
                          "-stdin"], input=password.encode(), check=True,
                         capture_output=True).stdout.decode().strip()
    return f"{user}:{out}\n"


def b64(data):
    return base64.b64encode(data).decode()


def hmac256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def scram_line(user, password, iterations=4096):
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt,
                                 iterations)
    stored = hashlib.sha256(hmac256(salted, b"Client Key")).digest()
    server = hmac256(salted, b"Server Key")
    return (f"{user}:{{SCRAM-SHA-256}}{iterations},{b64(salt)},"
            f"{b64(stored)},{b64(server)}\n")


class Scram:
    """The client's three messages, and what the server must prove.  FLAG and
    BINDING are the GS2 header's first word and the data behind it."""

    def __init__(self, user, password, nonce=None, flag="n", binding=b""):
        self.password = password.encode()
        self.gs2 = f"{flag},,"
        self.binding = binding
        self.nonce = nonce or b64(os.urandom(18))
        self.bare = f"n={user},r={self.nonce}"

    def first(self):
        return self.gs2 + self.bare

    def final(self, server_first):
        fields = dict(f.split("=", 1) for f in server_first.split(","))
        assert fields["r"].startswith(self.nonce)
        assert len(fields["r"]) > len(self.nonce) + 16
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, base64.b64decode(fields["s"]),
            int(fields["i"]))
        key = hmac256(salted, b"Client Key")
        bound = b64(self.gs2.encode() + self.binding)
        without = f"c={bound},r={fields['r']}"
        message = ",".join((self.bare, server_first, without)).encode()
        signature = hmac256(hashlib.sha256(key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.server = b64(hmac256(hmac256(salted, b"Server Key"), message))
        return f"{without},p={b64(proof)}"

    def check(self, server_final):
        assert server_final == f"v={self.server}", server_final
