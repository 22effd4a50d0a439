#!/usr/bin/env python3
"""Tries each check on planted mistakes: a check that cannot fail is worthless.

Every case is a small tree; the first run must be clean, the run after the
mistake must end with 1 and say the expected words.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.dirname(os.path.abspath(__file__))
HEADER = """/* What it is. */
#ifndef MTAD_BASE_SPAN_H
#define MTAD_BASE_SPAN_H

#include <stddef.h>

size_t	span_length(const char *);

#endif
"""
SOURCE = """#include "common/base/span.h"
#include <string.h>

size_t
span_length(const char *s)
{
	return strlen(s);
}
"""
TREE = {
    "cmake/layers.txt": "common/base:\ncommon/os: base\ncommon/conf:\n"
    "common/log:\ncommon/ipc:\nqueued/store: base\n"
    "queued: base queued/store\nowner <lmdb.h>: queued/store\n"
    "pure: common/base\npure-header: <string.h> <stddef.h>\n",
    "common/base/span.h": HEADER,
    "common/base/span.c": SOURCE,
    "common/conf/conf_schema.def": """/* CONF_TOP(T, commented, out) */
CONF_TOP(HOST, hostname, "", 1, 255, LIVE, ALL, "name (a, b)")
CONF_LISTENER(ADDRESS, address, "address", "", 1, 108, "x")
CONF_ROW(PATH, queue, path, "/var", 1, 4096, LIVE, PARENT, "dir")
""",
    "docs/man/mtad.yaml.5.scd": "mtad.yaml(5)\n\n# NAME\n\n"
    "mtad.yaml - x\n\n*hostname* = NAME\n\n*listeners[].address*\n\n"
    "*queue.path* = DIR\n",
    "common/log/log_ids.def": 'LOG_EVENT(1, "accepted", INFO, "a message")\n',
    "docs/LOGS.md": "| event | x |\n|---|---|\n| `accepted` | a message |\n",
    "docs/INVARIANTS.md": "I-01 synced before 250\n",
    "tests/unit/test_sync.c": "/* I-01 */\n",
    "tests/system/test_wire.py": "# T04\n",
    "docs/REQUIREMENTS.md": "| `T04` | x | y | `system/test_wire.py` |\n",
}


class Check(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in TREE.items():
            self.write(path, text)

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def run_tool(self, tool):
        return subprocess.run(
            [sys.executable, "-B", os.path.join(TOOLS, tool), self.root],
            capture_output=True, text=True, check=False)

    def plant(self, tool, path, text, words):
        p = self.run_tool(tool)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        self.write(path, text)
        p = self.run_tool(tool)
        self.assertEqual(p.returncode, 1, p.stdout + p.stderr)
        self.assertIn(words, p.stdout)


class Layers(Check):
    def test_foreign_library(self):
        self.plant("check-layers", "queued/main.c", "\n#include <lmdb.h>\n",
                   "queued/main.c:2: <lmdb.h> belongs to queued/store")

    def test_upward_include(self):
        self.write("queued/store/store.h", "")
        self.plant("check-layers", "common/os/fd.c",
                   '#include "queued/store/store.h"\n',
                   "common/os may not include queued/store")

    def test_system_call_in_pure_room(self):
        self.plant("check-layers", "common/base/span.c",
                   "#include <unistd.h>\n", "common/base, which is pure")

    def test_unknown_room(self):
        self.plant("check-layers", "common/attic/x.c", "\n",
                   "common/attic is not in cmake/layers.txt")

    def test_path_not_from_the_top(self):
        self.plant("check-layers", "common/base/span.c",
                   '#include "span.h"\n', "is not a file below the top")

    def test_cycle(self):
        self.plant("check-layers", "cmake/layers.txt",
                   TREE["cmake/layers.txt"].replace("base:", "base: os"),
                   "common/base is part of a cycle")


class Headers(Check):
    def test_incomplete(self):
        self.plant("check-headers", "common/base/span.h",
                   HEADER.replace("#include <stddef.h>\n", ""),
                   "not complete by itself")

    def test_too_long(self):
        self.plant("check-headers", "common/base/span.h",
                   HEADER + "\n" * 120, "lines, 120 are allowed")

    def test_wrong_guard(self):
        self.plant("check-headers", "common/base/span.h",
                   HEADER.replace("SPAN_H", "BUF_H"),
                   "the guard should be MTAD_BASE_SPAN_H")

    def test_no_contract(self):
        self.plant("check-headers", "common/base/span.h",
                   HEADER.partition("\n")[2], "does not open with a comment")


@unittest.skipUnless(shutil.which("ctags"), "universal-ctags is missing")
class Size(Check):
    def test_long_file(self):
        self.plant("check-size", "common/base/span.c", SOURCE + "\n" * 600,
                   "lines, 600 are allowed")

    def test_long_function(self):
        self.plant("check-size", "common/base/span.c",
                   SOURCE.replace("{\n", "{\n" + "\t(void)s;\n" * 118),
                   "span.c:5: span_length has 122 lines")


class Docs(Check):
    def test_key_without_entry(self):
        self.plant("check-docs", "docs/man/mtad.yaml.5.scd",
                   "*hostname*\n*queue.path*\n",
                   "no entry for the configuration key 'listeners[].address'")

    def test_entry_without_key(self):
        self.plant("check-docs", "docs/man/mtad.yaml.5.scd",
                   TREE["docs/man/mtad.yaml.5.scd"] + "*queue.gone*\n",
                   "'queue.gone' is not in common/conf/conf_schema.def")

    def test_missing_page(self):
        self.write("docs/IPC.md", "| `config` |\n")
        self.plant("check-docs", "common/ipc/messages.def",
                   "MSG(config, 1, A, B, \"x\")\nMSG(peer, 2, A, B, \"x\")\n",
                   "no entry for the message 'peer'")

    def test_log_event_without_entry(self):
        self.plant("check-docs", "common/log/log_ids.def",
                   'LOG_EVENT(1, "accepted", INFO, "")\n'
                   'LOG_EVENT(2, "rejected", INFO, "")\n',
                   "no entry for the log event 'rejected'")

    def test_promise_without_test(self):
        self.plant("check-docs", "docs/INVARIANTS.md", "I-01\nI-02\n",
                   "no test cites I-02")

    def test_rule_of_the_spool_without_test(self):
        self.plant("check-docs", "docs/SPOOL.md", "- **R-01** a rule\n",
                   "no test cites R-01")

    def test_unknown_promise(self):
        self.plant("check-docs", "common/base/span.c", "/* I-99 */\n",
                   "common/base/span.c:1: cites I-99")


class Requirements(Check):
    TOOL = "check-requirements"
    LIST = "docs/REQUIREMENTS.md"

    def test_not_listed(self):
        self.plant(self.TOOL, "tests/unit/x.c", "/* T05 */\n",
                   "tests/unit/x.c: T05 is not in")

    def test_not_cited(self):
        self.plant(self.TOOL, self.LIST, TREE[self.LIST] + "| `T05` | z |\n",
                   "no test cites T05")

    def test_not_cited_there(self):
        self.plant(self.TOOL, self.LIST, "| `T04` | `unit/test_sync.c` |\n",
                   "tests/unit/test_sync.c does not cite T04")


@unittest.skipUnless(shutil.which("scdoc") and shutil.which("mandoc"),
                     "scdoc or mandoc is missing")
class Man(Check):
    PAGE = "mtad(8)\n\n# NAME\n\nmtad - a relay\n"

    def test_not_formatted(self):
        self.write("docs/man/mtad.8.scd", self.PAGE)
        self.plant("check-man", "docs/man/mtad.8.scd",
                   self.PAGE + "\n|  no\n:  alignment\n", "Error at 7")

    def test_wrong_title(self):
        self.write("docs/man/mtad.8.scd", self.PAGE)
        self.plant("check-man", "docs/man/mtad.8.scd",
                   self.PAGE.replace("(8)", "(5)"),
                   "does not begin with mtad(8)")


class RunTest(unittest.TestCase):
    def run_it(self, *command):
        return subprocess.run([os.path.join(TOOLS, "run-test"), *command],
                              capture_output=True, text=True, check=False)

    def test_code_is_kept(self):
        self.assertEqual(self.run_it("9", "true").returncode, 0)
        self.assertEqual(self.run_it("9", "sh", "-c", "exit 3").returncode, 3)

    def test_report_fails_a_good_test(self):
        p = self.run_it("9", "sh", "-c",
                        "echo leaked >${TSAN_OPTIONS##*log_path=}.1")
        self.assertEqual(p.returncode, 99)
        self.assertIn("leaked", p.stdout)

    def test_time_is_bounded(self):
        p = self.run_it("1", "sleep", "30")
        self.assertEqual(p.returncode, 124)
        self.assertIn("stopped after 1 seconds", p.stdout)


if __name__ == "__main__":
    unittest.main()
