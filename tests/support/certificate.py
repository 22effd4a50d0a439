"""Keys and certificates, made with the openssl command."""
import os
import re
import ssl
import subprocess

KINDS = {"rsa": ["rsa:2048"], "p256": ["ec", "-pkeyopt",
                                       "ec_paramgen_curve:P-256"],
         "ed25519": ["ed25519"]}


class Certificate:
    """Files FOLDER/STEM.pem and .key, self-signed, for NAMES."""

    def __init__(self, folder, stem="cert", kind="p256",
                 names=("relay.example.org",), days=30):
        self.chain = os.path.join(folder, f"{stem}.pem")
        self.key = os.path.join(folder, f"{stem}.key")
        alt = ",".join(f"DNS:{name}" for name in names)
        if os.path.exists(self.key):
            os.unlink(self.key)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes",
             "-keyout", self.key, "-out", self.chain, "-days", str(days),
             "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alt}"],
            check=True, capture_output=True)
        os.chmod(self.key, 0o600)

    def client(self):
        """A context that trusts this certificate alone."""
        context = ssl.create_default_context(cafile=self.chain)
        return context

    def server(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def primes(self):
        """The two primes of an RSA key, as bytes."""
        text = subprocess.run(
            ["openssl", "rsa", "-in", self.key, "-noout", "-text"],
            check=True, capture_output=True, text=True).stdout
        found = []
        for n in ("1", "2"):
            digits = re.search(rf"prime{n}:\n((?: {{4}}[0-9a-f:]+\n)+)", text)[1]
            found.append(bytes.fromhex(re.sub(r"[^0-9a-f]", "",
                                              digits)).lstrip(b"\0"))
        return found

    def der(self):
        with open(self.chain, encoding="ascii") as f:
            return ssl.PEM_cert_to_DER_cert(f.read())


def trusting_all():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
