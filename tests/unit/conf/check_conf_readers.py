#!/usr/bin/env python3
"""A process sees the values of which conf_schema.def calls it a reader, and
defaults elsewhere: so whoever reads a value has to be named there.

usage: check_conf_readers.py ROOT
"""
import os
import re
import sys

FOLDERS = {"smtpd": "SMTPD", "queued": "QUEUED", "deliverd": "DELIVERD",
           "dnsd": "DNSD", "keyd": "KEYD", "fetchd": "FETCHD", "common/route": "QUEUED",
           "common/log": "ALL", "common/proc": "ALL"}
UNITS = {"TIME": "_ms", "SIZE": "_bytes"}
ROW = re.compile(
    r'^CONF_(TOP|ROW)\(\s*(\w+),\s*(\w+),\s*(?:(\w+),\s*)?"[^"]*",'
    r"\s*[^,]+,\s*[^,]+,\s*(?:LIVE|RESTART),\s*([A-Z| \n\t]+),", re.M)


def rows(schema):
    """(what the code says, the key, its readers)"""
    for macro, kind, first, second, readers in ROW.findall(schema):
        unit = UNITS.get(kind, "")
        names = {word.strip() for word in readers.split("|")}
        if macro == "TOP":
            yield rf"\bconf(?:->|\.){first}\b", first, names
        else:
            yield (rf"(?:->|\.){first}\.{second}{unit}\b",
                   f"{first}.{second}", names)


def sources(root, folder):
    for path, folders, files in os.walk(os.path.join(root, folder)):
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                yield os.path.join(path, name)


def check(root, schema):
    table = [(re.compile(r), key, names) for r, key, names in rows(schema)]
    for folder, reader in FOLDERS.items():
        for path in sources(root, folder):
            with open(path, encoding="utf-8") as f:
                lines = f.read().split("\n")
            for number, line in enumerate(lines, 1):
                for pattern, key, names in table:
                    if pattern.search(line) and \
                            not names & {reader, "ALL"}:
                        yield (f"{os.path.relpath(path, root)}:{number}: "
                               f"{reader} is no reader of {key}")


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "common/conf/conf_schema.def"),
              encoding="utf-8") as f:
        schema = f.read()
    expected = len(re.findall(r"^CONF_(?:TOP|ROW)\(", schema, re.M))
    found = len(list(rows(schema)))
    if found != expected:
        sys.exit(f"read {found} of {expected} rows of conf_schema.def")
    findings = list(check(root, schema))
    print("\n".join(findings + [f"{found} keys, {len(findings)} findings"]))
    sys.exit(1 if findings else 0)


main()
