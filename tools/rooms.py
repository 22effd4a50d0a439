"""Where the product's code lies: what the checks of this folder share."""
import os

TOPS = ("common", "smtpd", "queued", "deliverd", "keyd", "dnsd",
        "fetchd", "mtad",
        "mtactl", "sendmail")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def sources(root, *suffixes):
    """The rooms' files with these suffixes, as sorted paths below root."""
    for top in TOPS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(folder, name), root)
