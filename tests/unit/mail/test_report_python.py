"""The reports as Python's parser of mail sees them.

Cites DSN-19..DSN-38 and MSG-01 of the RFC checklist where a check shows one.
"""
import email
import email.policy
import email.utils
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
ORIGINAL_HEADERS = ["Received", "From", "Subject", "Message-ID"]


def build(kind):
    return subprocess.run([PROGRAM, kind], check=True, timeout=20,
                          stdout=subprocess.PIPE).stdout


def parse(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


class Report(unittest.TestCase):
    def check_form(self, raw):
        message = parse(raw)
        for part in message.walk():
            self.assertEqual(part.defects, [])
        self.assertNotIn(b"\n", raw.replace(b"\r\n", b""))   # MSG-01
        self.assertNotIn(b"\r", raw.replace(b"\r\n", b""))
        self.assertLessEqual(max(map(len, raw.split(b"\r\n"))), 998)
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"),
                         "delivery-status")                  # DSN-26
        self.assertEqual(message["Auto-Submitted"], "auto-replied")  # DSN-37
        for name in "Date", "From", "To", "Subject", "Message-ID":
            self.assertEqual(len(message.get_all(name)), 1, name)  # DSN-32
        date = email.utils.parsedate_to_datetime(message["Date"])
        self.assertIsNotNone(date.tzinfo)                    # DSN-35
        parts = message.get_payload()
        self.assertEqual(len(parts), 3)
        self.assertEqual(parts[0].get_content_type(), "text/plain")
        self.assertEqual(parts[1].get_content_type(),
                         "message/delivery-status")          # DSN-27
        parts[1].as_bytes().decode("ascii")                  # DSN-29
        return message, parts

    def test_failed(self):
        message, parts = self.check_form(build("failed"))
        self.assertIn("could not be delivered", message["Subject"])
        groups = parts[1].get_payload()                      # DSN-28
        self.assertEqual(len(groups), 4)
        about = groups[0]
        self.assertEqual(about["Reporting-MTA"],
                         "dns; mail.example.org")            # DSN-20
        self.assertEqual(about["Original-Envelope-Id"], "QQ+314")  # DSN-19
        bob, carol, eve = groups[1:]
        self.assertEqual(bob["Original-Recipient"],
                         "rfc822;Robert+x@Example.com")      # DSN-21
        self.assertEqual(bob["Final-Recipient"],
                         "rfc822; Bob@example.net")          # DSN-22
        self.assertEqual(bob["Action"], "failed")
        self.assertEqual(bob["Status"], "5.1.1")             # DSN-24
        self.assertEqual(bob["Diagnostic-Code"], "smtp; 550 5.1.1 No such "
                         "user Ask postmaster")              # DSN-25
        self.assertEqual(carol["Action"], "failed")          # DSN-23
        self.assertIsNone(carol["Diagnostic-Code"])
        self.assertIsNone(carol["Remote-MTA"])
        self.assertIsNone(carol["Original-Recipient"])
        self.assertEqual(eve["Action"], "failed")            # DSN-38
        self.assertEqual(len(eve.get_all("Action")), 1)
        self.assertIsNone(eve["X-Evil"])
        for group in groups[1:]:
            self.assertIsNone(group["Will-Retry-Until"])     # DSN-34
        original = parts[2].get_payload(0)
        self.assertEqual(original.keys(), ORIGINAL_HEADERS)
        self.assertEqual(original.get_payload(),
                         "Line one\n.Line two\n".replace("\n", "\r\n"))

    def test_delayed(self):
        message, parts = self.check_form(build("delayed"))
        self.assertIn("delayed", message["Subject"])
        about, rcpt = parts[1].get_payload()
        self.assertIsNone(about["Original-Envelope-Id"])
        self.assertEqual(rcpt["Action"], "delayed")
        self.assertIn("27 Nov 2026", rcpt["Will-Retry-Until"])

    def test_header(self):
        _, parts = self.check_form(build("header"))
        self.assertEqual(parts[2].get_content_type(),
                         "text/rfc822-headers")              # DSN-30
        returned = email.message_from_string(parts[2].get_content())
        self.assertEqual(returned.keys(), ORIGINAL_HEADERS)
        self.assertEqual(returned.get_payload(), "")

    def test_cut(self):
        _, parts = self.check_form(build("cut"))
        original = parts[2].get_payload(0)
        self.assertEqual(original.get_payload(), "Line one\r\n")

    def test_8bit(self):
        message, parts = self.check_form(build("8bit"))
        self.assertEqual(message["Content-Transfer-Encoding"], "8bit")
        self.assertEqual(parts[2]["Content-Transfer-Encoding"], "8bit")
        self.assertEqual(parts[1]["Content-Transfer-Encoding"], "7bit")


if __name__ == "__main__":
    unittest.main()
