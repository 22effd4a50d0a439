"""A delivery report, taken apart and held against its RFCs."""
import email
import email.policy
import email.utils
import quopri
import re

FIELDS = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version",
          "Content-Type", "Auto-Submitted")
NUMERIC_ZONE = re.compile(r" [+-]\d{4}$")


class Report:
    """`message` is what the next hop got.  Whatever holds for every report is
    checked here: MSG-01, DSN-18, DSN-20, DSN-26 to -29, DSN-31, -32, -35,
    -37."""

    def __init__(self, message):
        self.recipients = message.recipients
        self.wire = message.content
        self.check_wire()
        self.mail = email.message_from_bytes(self.wire,
                                             policy=email.policy.compat32)
        self.check_header()
        text, status, *rest = self.mail.get_payload()
        self.text = text.get_payload(decode=True).decode(
            text.get_content_charset()).replace("\r\n", "\n")
        self.returned = rest[0] if rest else None
        self.is_global = status.get_content_type() != \
            "message/delivery-status"
        if self.is_global:
            blocks = self.global_status(status)
        else:
            self.check_status(status)
            blocks = status.get_payload()
        self.groups = blocks[1:]
        self.about = blocks[0]
        self.check_groups()
        envelope = next(line for line in message.session.lines
                        if line.startswith("MAIL FROM:<>"))
        assert " RET=" not in envelope, envelope

    def check_wire(self):
        assert self.wire.endswith(b"\r\n"), self.wire[-80:]
        for line in self.wire[:-2].split(b"\r\n"):
            assert len(line) <= 998, f"a line of {len(line)} octets"
            assert not re.search(rb"[\r\n\0]", line), line

    def check_header(self):
        mail = self.mail
        assert not mail.defects, mail.defects
        for name in FIELDS:
            found = mail.get_all(name)
            assert found and len(found) == 1, (name, found)
        assert email.utils.parsedate_to_datetime(mail["Date"])
        assert NUMERIC_ZONE.search(mail["Date"]), mail["Date"]
        assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", mail["Message-ID"])
        assert mail["Auto-Submitted"] in ("auto-replied", "auto-generated")
        assert mail.get_content_type() == "multipart/report"
        assert mail.get_param("report-type") == "delivery-status"
        types = [part.get_content_type() for part in mail.get_payload()]
        assert types[0] == "text/plain", types
        assert types[1] in ("message/delivery-status",
                            "message/global-delivery-status"), types
        assert types[2:] in ([], ["message/rfc822"],
                             ["text/rfc822-headers"], ["message/global"],
                             ["message/global-headers"]), types

    @staticmethod
    def global_status(status):
        """Its blocks: RFC 6533 has it encoded where the way needs it."""
        assert status["Content-Transfer-Encoding"] == "quoted-printable"
        raw = quopri.decodestring(status.get_payload(0).as_bytes()
                                  if status.is_multipart() else
                                  status.get_payload().encode())
        return [email.message_from_string(b, policy=email.policy.compat32)
                for b in raw.decode().replace("\r\n", "\n").strip()
                .split("\n\n")]

    @staticmethod
    def check_status(status):
        assert status["Content-Transfer-Encoding"] in (None, "7bit")
        for block in status.get_payload():
            for name, value in block.items():
                assert value.isascii() and value.replace(
                    "\r\n\t", " ").isprintable(), (name, value)

    def check_groups(self):
        assert self.about["Reporting-MTA"] == "dns; relay.example.org"
        assert "Final-Recipient" not in self.about
        assert self.groups
        for group in self.groups:
            for name in ("Final-Recipient", "Action", "Status"):
                assert len(group.get_all(name, [])) == 1, (name, str(group))
            assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", group["Status"])
            for name in ("Last-Attempt-Date", "Will-Retry-Until"):
                assert NUMERIC_ZONE.search(group.get(name, " +0000"))
            # given up after a while: the persistent transient failure of
            # RFC 3463 2, whose class is 4
            if group["Action"] == "failed":     # DSN-34
                assert group["Status"][0] in "45", group["Status"]
                assert "Will-Retry-Until" not in group
            elif group["Action"] == "relayed":
                assert group["Status"][0] == "2", group["Status"]
                assert "Will-Retry-Until" not in group
            else:
                assert group["Status"][0] == "4", group["Status"]

    def group(self, recipient):
        """What it says about that recipient."""
        found = [g for g in self.groups
                 if unfolded(g["Final-Recipient"]) == f"rfc822; {recipient}"]
        assert len(found) == 1, (recipient, [str(g) for g in self.groups])
        return found[0]

    @property
    def returned_bytes(self):
        """The returned message, as it stands in the report."""
        boundary = b"--" + self.mail.get_boundary().encode()
        part = self.wire.split(b"\r\n" + boundary)[3]
        return part.partition(b"\r\n\r\n")[2]


def unfolded(value):
    return re.sub(r"\r\n[ \t]+", " ", value)
