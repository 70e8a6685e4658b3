#!/usr/bin/env python3
"""Holds every #include under src/ against the arrows in src/CMakeLists.txt.

    includes.py [ROOT]        prints each violation, exits 1 if there is one
    includes.py --self-test   shows that each kind of violation is found

The table in src/CMakeLists.txt is the only list of arrows. Besides the arrows:
  * no cycle, neither between folders nor between files;
  * Linux is called from src/sys alone, so only src/sys includes headers that are not C++, not ours and not
    a package's (ALLOWED lists the exceptions);
  * a package's headers are seen by the folders that link it, and by those that link these.
"""

import pathlib
import re
import sys
import tempfile
import unittest

# How a package's headers begin -> the imported target that a line of the table must name.
PACKAGE_HEADERS = {
    "fmt/": "fmt::fmt",
    "CLI/": "CLI11::CLI11",
    "nlohmann/": "nlohmann_json::nlohmann_json",
    "libfyaml.h": "PkgConfig::fyaml",
    "pugixml.hpp": "pugixml::pugixml",
    "zlib.h": "ZLIB::ZLIB",
    "zstd.h": "PkgConfig::zstd",
    "sqlite3.h": "SQLite::SQLite3",
    "httplib.h": "PkgConfig::httplib",
}
TEST_HEADERS = ("gtest/", "gmock/", "rapidcheck")  # in test files only
TEST_FILES = ("_test.cc", "test_support.cc", "test_support.h")

# System headers outside src/sys: folder -> headers. Keep it short, and say why.
ALLOWED = {
    "cli": {"unistd.h"},  # isatty: is the report for a person or for a pipe?
}
# The only folders that may link sys, whatever the table says.
MAY_SEE_SYS = {"lab", "watch", "guard", "macs", "cli"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
KEYWORDS = {"LINKS", "PACKAGES", "TEST_LINKS", "TEST_LABELS", "PROGRAM"}


def read_table(text):
    """src/CMakeLists.txt -> {folder: {keyword: [words]}}, in the order of the lines."""
    text = re.sub(r"#[^\n]*", "", text)
    table = {}
    for call in re.findall(r"\bsekimori_library\s*\(([^)]*)\)", text):
        words = call.split()
        entry = {keyword: [] for keyword in KEYWORDS}
        keyword = None
        for word in words[1:]:
            if word in KEYWORDS:
                keyword = word
            elif keyword:
                entry[keyword].append(word)
        table[words[0]] = entry
    return table


def check_table(table):
    """The table is written bottom up: that alone rules out a cycle between folders."""
    above = set()
    for folder, entry in table.items():
        for link in entry["LINKS"]:
            if link not in table:
                yield f"src/CMakeLists.txt: {folder} links {link}, which is no folder of the table"
            elif link not in above:
                yield f"src/CMakeLists.txt: {folder} links {link}, which is not above it: a cycle or a wrong order"
            if link == "sys" and folder not in MAY_SEE_SYS:
                yield f"src/CMakeLists.txt: {folder} links sys; only {', '.join(sorted(MAY_SEE_SYS))} may"
        above.add(folder)


def check_include(table, folder, is_test, quoted, header):
    """None if the include is right, else what is wrong with it."""
    entry = table[folder]
    links = set(entry["LINKS"]) | (set(entry["TEST_LINKS"]) if is_test else set())
    if quoted:
        target, slash, _ = header.partition("/")
        if not slash:
            return f'"{header}" does not name its folder: write "{folder}/{header}"'
        if target not in table:
            return f'"{header}": {target} is no folder of the table in src/CMakeLists.txt'
        if target != folder and target not in links:
            return f'"{header}": {folder} may not see {target} (the arrows are in src/CMakeLists.txt)'
        return None
    for prefix, package in PACKAGE_HEADERS.items():
        if header.startswith(prefix):
            if any(package in table[f]["PACKAGES"] for f in {folder} | links):
                return None
            return f"<{header}>: {folder} does not link {package} (src/CMakeLists.txt)"
    if header.startswith(TEST_HEADERS):
        return None if is_test else f"<{header}> belongs into *_test.cc or test_support.h"
    is_system = header.endswith(".h") or "/" in header
    if is_system and folder != "sys" and header not in ALLOWED.get(folder, set()):
        return f"<{header}>: only src/sys calls the system (a C header is written <c...>)"
    return None


def find_cycle(graph):
    """A list of files that include one another in a ring, or None."""
    state = {}

    def visit(node, path):
        state[node] = "open"
        path.append(node)
        for following in graph.get(node, ()):
            if state.get(following) == "open":
                return path[path.index(following):] + [following]
            if following not in state:
                cycle = visit(following, path)
                if cycle:
                    return cycle
        path.pop()
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state:
            cycle = visit(node, [])
            if cycle:
                return cycle
    return None


def violations(root):
    src = pathlib.Path(root) / "src"
    table = read_table((src / "CMakeLists.txt").read_text())
    if not table:
        return ["src/CMakeLists.txt: no line sekimori_library(...) found"]
    found = list(check_table(table))
    graph = {}
    for folder in sorted(p for p in src.iterdir() if p.is_dir()):
        files = sorted(p for p in folder.rglob("*") if p.suffix in (".cc", ".h"))
        files = [p for p in files if not p.name.endswith(".bpf.h")]  # C for the kernel side
        if files and folder.name not in table:
            found.append(f"src/{folder.name}: no line in src/CMakeLists.txt")
            continue
        for path in files:
            name = path.relative_to(src).as_posix()
            text = path.read_text(errors="replace")
            graph[name] = []
            for match in INCLUDE.finditer(text):
                quoted, header = match.group(1) == '"', match.group(2)
                is_test = path.name.endswith(TEST_FILES)
                wrong = check_include(table, folder.name, is_test, quoted, header)
                if wrong:
                    line = text.count("\n", 0, match.start(2)) + 1
                    found.append(f"src/{name}:{line}: {wrong}")
                if quoted:
                    graph[name].append(header)
    cycle = find_cycle(graph)
    if cycle:
        found.append("files include one another: " + " -> ".join(cycle))
    return found


class SelfTest(unittest.TestCase):
    TABLE = """
    # sekimori_library(ghost LINKS nowhere)
    sekimori_library(base PACKAGES fmt::fmt)
    sekimori_library(wire LINKS base)
    sekimori_library(sys LINKS base wire)  # a remark
    sekimori_library(check LINKS base wire
                     TEST_LINKS sys)
    sekimori_library(cli LINKS base wire sys check PACKAGES CLI11::CLI11 PROGRAM sekimori)
    """

    def run_on(self, files, table=None):
        with tempfile.TemporaryDirectory() as root:
            for name, text in {"CMakeLists.txt": table or self.TABLE, **files}.items():
                path = pathlib.Path(root, "src", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return violations(root)

    def expect(self, part, files, table=None):
        found = self.run_on(files, table)
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def test_clean_tree(self):
        self.assertEqual(self.run_on({
            "base/time.h": "#pragma once\n#include <cstdint>\n#include <fmt/format.h>\n",
            "wire/mac.h": '#include "base/time.h"\n#include <fmt/core.h>\n',
            "wire/mac_test.cc": '#include <gtest/gtest.h>\n#include "wire/mac.h"\n',
            "wire/test_support.h": "#include <gtest/gtest.h>\n",
            "sys/socket.cc": "#include <linux/if.h>\n#include <unistd.h>\n",
            "check/rule_test.cc": '#include "sys/socket.h"\n',
            "cli/main.cc": '#include <CLI/CLI.hpp>\n#include <unistd.h>\n#include "check/rule.h"\n',
        }), [])

    def test_empty_and_missing_folders(self):
        self.assertEqual(self.run_on({}), [])

    def test_arrow_up(self):
        self.expect("src/base/a.h:2: \"wire/mac.h\": base may not see wire",
                    {"base/a.h": '#pragma once\n#include "wire/mac.h"\n'})

    def test_arrow_only_for_tests(self):
        self.expect("check may not see sys", {"check/rule.cc": '#  include "sys/socket.h"\n'})

    def test_arrow_in_subfolder(self):
        self.expect("src/base/deep/a.cc:1", {"base/deep/a.cc": '#include "check/rule.h"\n'})

    def test_linux_headers(self):
        for header in ("sys/socket.h", "linux/if_link.h", "net/if.h", "unistd.h", "poll.h", "arpa/inet.h"):
            self.expect("only src/sys", {"wire/a.cc": f"#include <{header}>\n"})

    def test_allow_list_is_narrow(self):
        self.expect("<sys/ioctl.h>", {"cli/a.cc": "#include <sys/ioctl.h>\n"})

    def test_package_without_link(self):
        self.expect("does not link CLI11::CLI11", {"check/a.cc": "#include <CLI/CLI.hpp>\n"})

    def test_gtest_outside_tests(self):
        self.expect("belongs into *_test.cc", {"wire/a.cc": "#include <gtest/gtest.h>\n"})

    def test_include_without_folder(self):
        self.expect('write "wire/mac.h"', {"wire/a.cc": '#include "mac.h"\n'})

    def test_unknown_folder(self):
        self.expect("src/extra: no line", {"extra/a.cc": "\n"})

    def test_cycle_of_files(self):
        self.expect("wire/a.h -> wire/b.h -> wire/a.h",
                    {"wire/a.h": '#include "wire/b.h"\n', "wire/b.h": '#include "wire/a.h"\n'})

    def test_cycle_of_folders(self):
        self.expect("a cycle or a wrong order", {},
                    "sekimori_library(base LINKS wire)\nsekimori_library(wire LINKS base)\n")

    def test_sys_seen_by_a_pure_folder(self):
        self.expect("wire links sys", {}, "sekimori_library(sys)\nsekimori_library(wire LINKS sys)\n")

    def test_no_table(self):
        self.expect("no line sekimori_library", {}, "project(other)\n")


def main():
    if sys.argv[1:] == ["--self-test"]:
        unittest.main(argv=sys.argv[:1])
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    found = violations(root)
    for violation in found:
        print(violation)
    print(f"{len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
