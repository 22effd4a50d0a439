"""An authority for clients' certificates, made with the openssl command."""
import os
import subprocess


def openssl(*words, **keys):
    subprocess.run(["openssl", *words], check=True, capture_output=True,
                   **keys)


class ClientCA:
    """Files FOLDER/STEM.pem and .key, and users' below the same name."""

    def __init__(self, folder, stem="client-ca", name="Users of example.org"):
        self.folder, self.stem = folder, stem
        self.pem = os.path.join(folder, f"{stem}.pem")
        self.key = os.path.join(folder, f"{stem}.key")
        self.made = 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                "-out", self.pem, "-days", "30", "-subj", f"/CN={name}",
                "-addext", "keyUsage=critical,keyCertSign")

    def user(self, name="Ann", mail=None, usage="clientAuth", days=30,
             ended=False):
        """Two files: a certificate and its key."""
        self.made += 1
        base = os.path.join(self.folder, f"{self.stem}-{self.made}")
        with open(f"{base}.ext", "w", encoding="ascii") as f:
            f.write("basicConstraints=critical,CA:FALSE\n"
                    f"extendedKeyUsage={usage}\n")
            if mail is not None:
                f.write(f"subjectAltName=email:{mail}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{base}.key", "-out", f"{base}.req", "-utf8", "-subj",
                f"/CN={name}" if name else "/O=Nobody")
        openssl("x509", "-req", "-in", f"{base}.req", "-CA", self.pem,
                "-CAkey", self.key, "-CAcreateserial", "-extfile",
                f"{base}.ext", "-days", "-1" if ended else str(days),
                "-out", f"{base}.pem")
        return f"{base}.pem", f"{base}.key"
