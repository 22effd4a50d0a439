"""Certificates and the TLSA records for them, and what Postfix thinks of a
host: posttls-finger."""
import hashlib
import os
import re
import ssl
import subprocess
import tempfile

from . import postfix
from .client_ca import openssl

LIBRARIES = os.path.join(postfix.TREE, "usr/lib/postfix")


class Server:
    """A certificate for `names`, below `authority` (else of its own), which
    is over when `is_old`, and whose subject is `common_name` (else the first of
    its names).  FOLDER/STEM.pem has its chain."""

    def __init__(self, folder, stem, names, authority=None, is_old=False,
                 common_name=None):
        base = os.path.join(folder, stem)
        self.chain, self.key = f"{base}.pem", f"{base}.key"
        self.authority, self.asked = authority, []
        with open(f"{base}.ext", "w", encoding="ascii") as f:
            f.write("subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                "-out", f"{base}.req", "-subj", f"/CN={common_name or names[0]}")
        issuer = ["-CA", authority.pem, "-CAkey", authority.key,
                  "-CAcreateserial"] if authority else [
                      "-signkey", self.key]
        openssl("x509", "-req", "-in", f"{base}.req", *issuer, "-extfile",
                f"{base}.ext", "-days", "-1" if is_old else "30", "-out",
                self.chain)
        self.leaf = read(self.chain)
        if authority:
            with open(self.chain, "a", encoding="ascii") as f, \
                    open(authority.pem, encoding="ascii") as more:
                f.write(more.read())

    def context(self):
        """Notes for which names it was asked."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        context.sni_callback = lambda _, name, __: self.asked.append(name)
        return context

    def tlsa(self, usage, selector, matching):
        """Of its authority for the usages 0 and 2."""
        pem = self.leaf if usage in (1, 3) else read(self.authority.pem)
        return tlsa(pem, usage, selector, matching)


def read(path):
    with open(path, encoding="ascii") as f:
        return re.search("-----BEGIN.*?END CERTIFICATE-----\n", f.read(),
                         re.S).group(0)


def tlsa(pem, usage, selector, matching):
    data = ssl.PEM_cert_to_DER_cert(pem)
    if selector == 1:
        public = subprocess.run(["openssl", "x509", "-noout", "-pubkey"],
                                input=pem.encode(), check=True,
                                capture_output=True).stdout
        data = subprocess.run(["openssl", "pkey", "-pubin", "-outform",
                               "DER"], input=public, check=True,
                              capture_output=True).stdout
    if matching:
        data = hashlib.new(["", "sha256", "sha512"][matching], data).digest()
    return f"TLSA {usage} {selector} {matching} {data.hex()}"


def finger(*words, level="dane"):
    """The words of posttls-finger about a domain or [host]:port, by the
    resolver at 127.0.0.1."""
    with tempfile.TemporaryDirectory(prefix="mtad-finger.") as folder:
        with open(f"{folder}/resolv.conf", "w", encoding="ascii") as f:
            f.write("nameserver 127.0.0.1\noptions trust-ad\n")
        with open(f"{folder}/main.cf", "w", encoding="ascii") as f:
            f.write("compatibility_level = 3.6\ninet_protocols = ipv4\n"
                    "smtp_dns_support_level = dnssec\n"
                    "myhostname = finger.example.org\n"
                    "mail_owner = mail\nsetgid_group = daemon\n")
        p = subprocess.run(
            ["unshare", "-m", "sh", "-c",
             'mount --bind "$0" /etc/resolv.conf && exec "$@"',
             f"{folder}/resolv.conf", postfix.tool("posttls-finger"), "-c",
             "-l", level, "-t", "5", "-T", "5", *words],
            env={"MAIL_CONFIG": folder, "LD_LIBRARY_PATH": LIBRARIES,
                 "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False)
        return p.stdout
