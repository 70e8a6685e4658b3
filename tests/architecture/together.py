#!/usr/bin/env python3
"""cmake/together.awk on small files: what it puts into one source, and what it keeps apart.

    together.py ROOT
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv[1])


def groups_of(files, most=12):
    """[[names of the .cc files that are one source]], in the order of the groups."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = pathlib.Path(root, "src/a", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        sources = [f"{root}/src/a/{name}" for name in files if name.endswith(".cc")]
        awk = ["awk", "-v", f"most={most}", "-v", f"root={root}", "-f", str(ROOT / "cmake/together.awk"), *sources]
        lines = subprocess.run(awk, capture_output=True, text=True, check=True).stdout.splitlines()
    groups = {}
    for line in lines:
        number, path = line.split(" ")
        groups.setdefault(int(number), []).append(pathlib.Path(path).stem)
    return [groups[number] for number in sorted(groups)]


def own(text, public=""):
    return f"namespace a {{\nnamespace {{\n\n{text}\n}}  // namespace\n\n{public}\n}}  // namespace a\n"


class Together(unittest.TestCase):
    def test_strangers_are_one_source(self):
        self.assertEqual(groups_of({"x.cc": own("int one() { return 1; }\n"), "y.cc": own("int two() { return 2; }\n")}),
                         [["x", "y"]])

    def test_no_more_than_asked_for(self):
        files = {f"{name}.cc": own(f"int f{name}() {{ return 1; }}\n") for name in "vwxyz"}
        self.assertEqual(groups_of(files, most=2), [["v", "w"], ["x", "y"], ["z"]])

    def test_one_name_of_two(self):
        for text in ("int one(int a) {\n  return a;\n}\n", "struct one {\n  int a;\n};\n", "enum class one { kA };\n",
                     "constexpr int one = 1;\n", "const std::array<int, 2> one{1, 2};\n", "int one[] = {1};\n",
                     "using one = int*;\n", "template <class T>\nT one(T t) {\n  return t;\n}\n"):
            for other in ("double one(double b) {\n  return b;\n}\n", "class one {};\n"):
                self.assertEqual(groups_of({"x.cc": own(text), "y.cc": own(other)}), [["x"], ["y"]], text + other)
        self.assertEqual(groups_of({"x.cc": own("constexpr int kA = 1, kB = 2;\n"),
                                    "y.cc": own("constexpr int kB = 1;\n")}), [["x"], ["y"]])

    def test_the_name_of_one_is_something_else_to_the_other(self):
        mine = own("int one(int a) {\n  return a;\n}\n")
        self.assertEqual(groups_of({"x.cc": mine, "y.cc": own("", "int two() { return one(1); }\n")}), [["x"], ["y"]])
        self.assertEqual(groups_of({"x.cc": own("", "int two() { return one(1); }\n"), "y.cc": mine}), [["x"], ["y"]])

    def test_a_header_means_something_else(self):
        header = "namespace a {\nusing Json = int;\nJson read();\n}  // namespace a\n"
        mine, user = own("using Json = double;\n"), '#include "a/h.h"\n' + own("int two() { return read(); }\n")
        self.assertEqual(groups_of({"h.h": header, "x.cc": mine, "y.cc": user}), [["x"], ["y"]])
        elsewhere = header.replace("namespace a {", "namespace b {")  # and there x.cc is not seen
        self.assertEqual(groups_of({"h.h": elsewhere, "x.cc": mine, "y.cc": user}), [["x", "y"]])

    def test_what_is_in_nobodys_way(self):
        mine = own("int one(int a) {\n  return a;\n}\n")
        for other in ("int two(const S& s) { return s.one(1) + b::one(2); }\n", "// one(1)\n",
                      'const char* two = "one(1)";\n', "int two() {\n  int one = 1;\n  return one;\n}\n"):
            self.assertEqual(groups_of({"x.cc": mine, "y.cc": own(other)}), [["x", "y"]], other)

    def test_taken_over_from_the_same_place(self):
        self.assertEqual(groups_of({"x.cc": own("using b::Mac;\n"), "y.cc": own("using b::Mac;\n")}), [["x", "y"]])
        self.assertEqual(groups_of({"x.cc": own("using b::Mac;\n"), "y.cc": own("using c::Mac;\n")}), [["x"], ["y"]])
        self.assertEqual(groups_of({"x.cc": own("using b::Mac;\n"), "y.cc": own("struct Mac {};\n")}), [["x"], ["y"]])

    def test_overloads_that_all_may_call(self):
        self.assertEqual(groups_of({"x.cc": own("", "int f(int a) { return a; }\n"),
                                    "y.cc": own("", "int f(char a) { return f(int{a}); }\n")}), [["x", "y"]])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
