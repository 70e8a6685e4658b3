#!/usr/bin/env python3
"""Every file includes what it uses of the headers that cmake/SekimoriHeaders.cmake precompiles: a build with them
would not notice if it did not, and one without would fail.

    uses.py [ROOT]        prints each file that lacks an include, exits 1 if there is one
    uses.py --self-test

What a header of ours includes counts for whoever includes it. What a header of the library includes does not.
"""

import pathlib
import re
import sys
import tempfile
import unittest

ALGORITHMS = ("sort stable_sort find find_if any_of all_of none_of count count_if clamp copy fill reverse remove_if "
              "transform equal lower_bound upper_bound binary_search unique max_element min_element rotate shuffle "
              "replace search mismatch nth_element partition")


def names(words):
    return rf"\bstd::({'|'.join(words.split())})\b"


# Header -> what is only there if it is included. <utility> comes with all the others.
USES = {header: re.compile(pattern, re.MULTILINE) for header, pattern in {
    "algorithm": rf"\bstd::(min|max)[({{<]|\bstd::(ranges::)?({'|'.join(ALGORITHMS.split())})\(",
    "array": names("array"),
    "chrono": names("chrono"),
    "cstdint": names("u?int(?:8|16|32|64)_t"),
    "cstring": r"\bstd::(memcpy|memcmp|memset|memmove|strlen|strerror|strcmp)\(",
    "expected": names("expected unexpected"),
    "filesystem": names("filesystem"),
    "fstream": names("ifstream ofstream fstream"),
    "functional": names("function hash less greater reference_wrapper"),
    "map": names("map multimap"),
    "memory": names("unique_ptr shared_ptr weak_ptr make_unique make_shared"),
    "optional": names("optional nullopt"),
    "set": names("set multiset"),
    "span": names("span as_bytes as_writable_bytes"),
    "sstream": names("istringstream ostringstream stringstream"),
    "string": names("string to_string"),
    "string_view": names("string_view"),
    "thread": names("thread jthread this_thread"),
    "tuple": names("tuple tie"),
    "unordered_map": names("unordered_map"),
    "vector": names("vector"),
    "fmt/format.h": r"\bfmt::(format|join)\b",
    "gtest/gtest.h": r"^TEST(_F|_P)?\(",
    "gmock/gmock.h": r"\bEXPECT_THAT\(",
}.items()}
PRECOMPILED = re.compile(r"<([\w./]+)>")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
NO_CODE = re.compile(r'//[^\n]*|"(\\.|[^"\\\n])*"')


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.known = {}

    def headers_of(self, path):
        """The foreign headers that the file includes, by itself or by one of ours."""
        if path not in self.known:
            self.known[path] = found = set()  # at once: two that include one another are the business of includes.py
            for quote, header in INCLUDE.findall(path.read_text(encoding="utf-8")):
                ours = [p for p in (self.root / "src" / header, self.root / header, path.parent / header) if p.exists()]
                if quote == "<":
                    found.add(header)
                elif ours:
                    found |= self.headers_of(ours[0])
        return self.known[path]

    def violations(self):
        for path in sorted(p for folder in ("src", "tests", "bench") for p in (self.root / folder).rglob("*")):
            if path.suffix not in (".cc", ".h") or path.name.endswith(".bpf.h"):
                continue
            text = NO_CODE.sub("", path.read_text(encoding="utf-8"))
            for header, pattern in USES.items():
                used = pattern.search(text)
                if used and header not in self.headers_of(path):
                    yield f"{path.relative_to(self.root)}: {used.group(0).strip('({<')} needs #include <{header}>"

    def unknown(self):
        """What is precompiled, and not in the table above."""
        text = (self.root / "cmake/SekimoriHeaders.cmake").read_text(encoding="utf-8")
        listed = set(PRECOMPILED.findall(re.sub(r"#.*", "", text)))
        return sorted(listed - set(USES) - {"utility"})


class SelfTest(unittest.TestCase):
    def run_on(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return list(Tree(root).violations())

    def test_what_is_included_may_be_used(self):
        self.assertEqual(self.run_on({
            "src/base/a.h": "#include <vector>\n",
            "src/base/a.cc": '#include "base/a.h"\nstd::vector<int> a;\n',
            "tests/x/x_test.cc": '#include "y.h"\nTEST(A, B) {}  // std::map\nconst char* text = "std::set";\n',
            "tests/x/y.h": "#include <gtest/gtest.h>\n",
        }), [])

    def test_what_is_not_may_not(self):
        for header, use in {"vector": "std::vector<int> a;", "algorithm": "int a = std::min(1, 2);",
                            "fmt/format.h": 'auto a = fmt::format("");', "gtest/gtest.h": "TEST(A, B) {}",
                            "cstdint": "std::uint8_t a;"}.items():
            found = self.run_on({"src/base/a.cc": f"#include <other>\n{use}\n"})
            self.assertEqual(len(found), 1, found)
            self.assertIn(f"#include <{header}>", found[0])
            self.assertEqual(self.run_on({"src/base/a.cc": f"#include <{header}>\n{use}\n"}), [])

    def test_a_header_that_lacks_its_own(self):
        self.assertEqual(len(self.run_on({"src/base/a.h": "std::map<int, int> a();\n",
                                          "src/base/a.cc": '#include <map>\n#include "base/a.h"\n'})), 1)


def main():
    if "--self-test" in sys.argv:
        unittest.main(argv=sys.argv[:1])
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    found = list(tree.violations())
    found += [f"cmake/SekimoriHeaders.cmake: <{h}> has no line in tests/architecture/uses.py" for h in tree.unknown()]
    print("\n".join(found) if found else "every file includes what it uses of the precompiled headers")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
