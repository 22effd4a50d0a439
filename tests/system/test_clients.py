"""Programs that hand mail to mtad, as people use them: s-nail, msmtp, curl,
Perl's Net::SMTP, git send-email, nodemailer, Exim and Postfix; in clear and by
STARTTLS with the certificate checked.  Each must get its message through as it
made it, and understand a refusal.  And sslscan's opinion."""
import email
import email.policy
import os
import shutil
import smtplib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from support import basics, exim, nexthop, postfix, relay
from support.certificate import Certificate

TO, FROM, WRONG = "bob@served.example", "ann@sender.example", "bad@.example"
TEXT = "naïve\n.\n..dots\n" + "long line " * 90 + "\nend\n"
MAIL = (f"From: <{FROM}>\nTo: <{TO}>\nSubject: by a program\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        f"Content-Transfer-Encoding: 8bit\n\n{TEXT}").encode()
PERL = r"""
use strict; use Net::SMTP;
my ($port, $ca, $from, @to) = @ARGV;
my $s = Net::SMTP->new('localhost', Port => $port, Hello => 'perl.example',
    Timeout => 15) or die "connect: $@";
if ($ca) {
	$s->starttls(SSL_ca_file => $ca) or die "starttls: " . $s->message;
}
$s->mail($from) or die "mail: " . $s->message;
$s->to($_) or die "rcpt: " . $s->code . " " . $s->message for @to;
binmode STDIN;
$s->data or die; $s->datasend($_) or die while <STDIN>;
$s->dataend or die "end: " . $s->message;
$s->quit;
"""
NODE = r"""
const fs = require('fs'), [port, ca, from, to] = process.argv.slice(2);
const transport = require('nodemailer').createTransport({
    host: 'localhost', port: Number(port), name: 'node.example',
    requireTLS: ca !== '', ignoreTLS: ca === '',
    tls: ca === '' ? {} : { ca: fs.readFileSync(ca) } });
transport.sendMail({ envelope: { from, to }, raw: fs.readFileSync(0) })
    .then(() => process.exit(0),
          e => { console.error(e.response || e.message); process.exit(1); });
"""


NODE_PATHS = [path for path in (
    os.path.join(postfix.PEERS, "nodemailer/node_modules"),
    "/usr/share/nodejs") if os.path.isdir(os.path.join(path, "nodemailer"))]


def has_perl(module):
    return subprocess.run(["perl", f"-M{module}", "-e", "1"], check=False,
                          capture_output=True).returncode == 0


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hop = nexthop.NextHop()
        cls.relay = relay.Relay(cls.hop.port, start=False)
        cls.cert = Certificate(cls.relay.folder, names=(
            "localhost", "relay.example.org"))
        cls.relay.configure(tls={"certificate": cls.cert.chain,
                                 "key": cls.cert.key})
        cls.relay.start()
        cls.scratch = tempfile.mkdtemp(prefix="mtad-clients.")
        cls.message = os.path.join(cls.scratch, "message")
        with open(cls.message, "wb") as f:
            f.write(MAIL)

    @classmethod
    def tearDownClass(cls):
        cls.relay.stop()
        cls.relay.remove()
        cls.hop.close()
        shutil.rmtree(cls.scratch)

    def setUp(self):
        self.seen = len(self.hop.messages)

    def run_it(self, *command, data=MAIL, **environment):
        return subprocess.run(
            command, input=data, capture_output=True, check=False,
            timeout=basics.PATIENCE, cwd=self.scratch, env={
                **os.environ, "HOME": self.scratch, "LC_ALL": "C.UTF-8",
                **environment})

    def arrived(self, count=1):
        basics.wait_for("it arrives", lambda: len(self.hop.messages)
                        >= self.seen + count)
        found = self.hop.messages[self.seen:]
        self.assertEqual(len(found), count)
        return found

    def check(self, is_secret, text=TEXT):
        """The message is there, as it was made, and said how it came."""
        message, = self.arrived()
        self.assertEqual(message.sender, FROM)
        self.assertEqual(message.recipients, [TO])
        mail = email.message_from_bytes(message.below,
                                        policy=email.policy.default)
        got = mail.get_content().replace("\r\n", "\n").rstrip("\n")
        self.assertEqual(got, text.rstrip("\n"))
        self.assertEqual(b" tls TLS_" in message.trace, is_secret)
        self.relay.wait_empty()
        self.seen = len(self.hop.messages)

    def play(self, command, wrong):
        """COMMAND(ca, to) in clear and in TLS; to WRONG it must say why."""
        for ca in ("", self.cert.chain):
            with self.subTest(tls=bool(ca)):
                p = self.run_it(*command(ca, TO))
                self.assertEqual(p.returncode, 0, p)
                self.check(bool(ca))
        p = self.run_it(*command("", WRONG))
        self.assertNotEqual(p.returncode, 0, p)
        self.assertIn(wrong, p.stderr + p.stdout)
        self.assertEqual(self.relay.count(), 0)

    @unittest.skipUnless(shutil.which("s-nail"), "no s-nail")
    def test_s_nail(self):
        for ca in ("", self.cert.chain):
            secret = ["-Ssmtp-use-starttls", f"-Stls-ca-file={ca}",
                      "-Stls-verify=strict"] if ca else []
            p = self.run_it(
                "s-nail", "-:/", "-Sv15-compat", "-Ssendwait",
                "-Ssmtp-auth=none", "-Ssendcharsets=utf-8",
                f"-Smta=smtp://localhost:{self.relay.port}", *secret,
                "-s", "by a program", "-r", FROM, TO, data=TEXT.encode())
            self.assertEqual(p.returncode, 0, p)
            self.check(bool(ca))

    @unittest.skipUnless(shutil.which("msmtp"), "no msmtp")
    def test_msmtp(self):
        self.play(lambda ca, to: [
            "msmtp", "--file=/dev/null", "--host=localhost",
            f"--port={self.relay.port}", f"--from={FROM}",
            "--domain=client.example", *(
                ["--tls=on", f"--tls-trust-file={ca}"] if ca
                else ["--tls=off"]), "--", to], b"501 5.1.3")

    @unittest.skipUnless(shutil.which("curl"), "no curl")
    def test_curl(self):
        self.play(lambda ca, to: [
            "curl", "-sS", "--crlf", "--mail-from", FROM, "--mail-rcpt", to,
            "-T", self.message, *(["--ssl-reqd", "--cacert", ca] if ca
                                  else []),
            f"smtp://localhost:{self.relay.port}/client.example"],
            b"501")

    @unittest.skipUnless(has_perl("Net::SMTP") and
                         has_perl("IO::Socket::SSL"), "no Net::SMTP with TLS")
    def test_net_smtp(self):
        self.play(lambda ca, to: ["perl", "-e", PERL, str(self.relay.port),
                                  ca, FROM, to], b"rcpt: 501 5.1.3")

    @unittest.skipUnless(shutil.which("node") and NODE_PATHS,
                         "no nodemailer")
    def test_nodemailer(self):
        script = os.path.join(self.scratch, "send.js")
        with open(script, "w", encoding="ascii") as f:
            f.write(NODE)
        os.environ["NODE_PATH"] = NODE_PATHS[0]
        self.play(lambda ca, to: ["node", script, str(self.relay.port), ca,
                                  FROM, to], b"501 5.1.3")

    @unittest.skipUnless(os.path.exists("/usr/lib/git-core/git-send-email")
                         and has_perl("IO::Socket::SSL") and has_perl("Mail::Address"),
                         "no git send-email")
    def test_git_send_email(self):
        """A series of three, in one session."""
        git = ["git", "-c", "user.name=Ann", "-c", f"user.email={FROM}"]
        self.run_it("git", "init", "-q", "tree")
        for i in range(3):
            p = self.run_it(*git, "-C", "tree", "commit", "-q",
                            "--allow-empty", "-m", f"change {i}")
            self.assertEqual(p.returncode, 0, p)
        self.run_it(*git, "-C", "tree", "format-patch", "-q", "--root",
                    "--always", "-o", "../patches")
        for ca in ("", self.cert.chain):
            p = self.run_it(
                *git, "-C", "tree", "send-email", "--quiet", "--no-validate",
                "--confirm=never", f"--from={FROM}", f"--to={TO}",
                "--smtp-server=localhost",
                f"--smtp-server-port={self.relay.port}",
                "--smtp-domain=client.example", "--suppress-cc=all",
                *(["--smtp-encryption=tls", f"--smtp-ssl-cert-path={ca}"]
                  if ca else []), "../patches")
            self.assertEqual(p.returncode, 0, p)
            found = self.arrived(3)
            subjects = {str(email.message_from_bytes(m.below)["Subject"])
                        for m in found}
            self.assertEqual(subjects, {f"[PATCH {i + 1}/3] change {i}"
                                        for i in range(3)})
            self.seen = len(self.hop.messages)

    @unittest.skipUnless(exim.is_there(), "no private Exim, no root")
    def test_exim(self):
        for ca in ("", self.cert.chain):
            with self.subTest(tls=bool(ca)):
                p = exim.send(self.scratch, f"localhost::{self.relay.port}",
                              ca, FROM, TO, MAIL)
                self.assertEqual(p.returncode, 0, p)
                self.check(bool(ca))

    @unittest.skipUnless(postfix.is_there(), "no private Postfix, no root")
    def test_postfix(self):
        for ca in ("", self.cert.chain):
            with self.subTest(tls=bool(ca)), postfix.Postfix(
                    relayhost=f"[localhost]:{self.relay.port}",
                    smtp_tls_security_level="secure" if ca else "none",
                    smtp_tls_CAfile=ca,
                    smtp_tls_secure_cert_match="hostname",
                    smtp_host_lookup="native") as server, \
                    smtplib.SMTP("127.0.0.1", server.port) as s:
                s.sendmail(FROM, [TO], MAIL)
                self.check(bool(ca))


@unittest.skipUnless(shutil.which("sslscan"), "no sslscan")
class Scan(unittest.TestCase):
    def test_sslscan(self):
        """TLS-02: 1.2 and 1.3 only, forward secrecy, nothing weak."""
        with relay.Relay(1, start=False) as r:
            cert = Certificate(r.folder)
            r.configure(tls={"certificate": cert.chain, "key": cert.key})
            r.start()
            out = subprocess.run(
                ["sslscan", "--no-colour", "--starttls-smtp",
                 f"127.0.0.1:{r.port}"], capture_output=True, text=True,
                check=True, timeout=60, stdin=subprocess.DEVNULL).stdout
        for line in ("SSLv2     disabled", "SSLv3     disabled",
                     "TLSv1.0   disabled", "TLSv1.1   disabled",
                     "TLSv1.2   enabled", "TLSv1.3   enabled"):
            self.assertIn(line, out)
        self.assertIn("Session renegotiation not supported", out)
        self.assertNotRegex(out, "(?<!not )vulnerable")
        suites = [line.split()[4] for line in out.splitlines()
                  if line.startswith(("Preferred", "Accepted"))]
        self.assertGreater(len(suites), 3)
        for suite in suites:
            self.assertRegex(suite, r"\A(TLS_|ECDHE-)")
            self.assertNotRegex(suite, "RC4|3DES|NULL|EXP|MD5|ADH|SEED|IDEA")


if __name__ == "__main__":
    basics.main()
