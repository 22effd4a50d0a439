"""A listener for submission beside a relay's own, and a user of it."""
import os
import smtplib

from . import basics, passwords
from .certificate import Certificate

USER = ("ann", "s3cret pass")


class Submission:
    """To be made before the relay starts; KEYS go to its configuration."""

    def __init__(self, relay, **keys):
        self.port, = basics.free_ports(1)
        self.certificate = Certificate(relay.folder)
        path = os.path.join(relay.folder, "passwords")
        with open(path, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(passwords.crypt_line(*USER))
        relay.configure(
            listeners=[{"address": f"127.0.0.1:{relay.port}"},
                       {"address": f"127.0.0.1:{self.port}",
                        "service": "submission"}],
            tls={"certificate": self.certificate.chain,
                 "key": self.certificate.key},
            auth={"passwords": path}, **keys)

    def connect(self, port=None, has_auth=True):
        """An smtplib.SMTP inside TLS, its user known, EHLO said."""
        s = smtplib.SMTP("127.0.0.1", port or self.port, "client.example")
        s._host = "relay.example.org"   # the certificate's name
        s.starttls(context=self.certificate.client())
        s.ehlo()
        if has_auth:
            s.login(*USER)
            s.ehlo()
        return s

    def send(self, words, sender="s@sender.example", to="a@served.example",
             content=b"Subject: x\r\n\r\nbody\r\n"):
        """The queue id."""
        with self.connect() as s:
            for line in (f"MAIL FROM:<{sender}> {words}", f"RCPT TO:<{to}>"):
                code, text = s.docmd(line)
                assert code == 250, (line, code, text)
            code, text = s.data(content)
            assert code == 250, (code, text)
            return text.decode().split()[-1]
