#!/usr/bin/env python3
"""clang-tidy over the project, in parallel, each file only when something it depends on has changed.

    tidy.py [--build build/dev]... [--jobs N] [FILE...]

A file that passed is remembered in build/tidy under a hash of: the checks, the tool, the compile command, the
text of every project file that it includes, and size and time of every system header. What it includes comes
from ninja's own record, of the first of the builds that compiled it; a file that none has compiled is always
checked.
Of the project only what users run is checked, src/ without its tests: the rest would take as long again. A file that is
named is checked wherever it is, if a build compiles it by itself; of tests that is none but build/dev.

Most of the time goes into headers, of the system above all, so files of one folder are checked together, as one source
that includes them, as long as no two of them seem to have a name of their own in common. What is not clean together is
checked file by file, and what that says is told: together or alone, a finding is one of the file as it is.

Precompiled headers are left out: clang-tidy would walk through all that is in them.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

TOOL = "clang-tidy-19"
TOGETHER = 8  # files in one source; more would gain little, and take memory
ROOT = pathlib.Path(__file__).resolve().parents[1]


def read_dependencies(build):
    """Object file -> the files it was made from, as ninja recorded them."""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    dependencies, current = {}, None
    for line in text.splitlines():
        if line and not line.startswith((" ", "ninja:")):
            current = dependencies.setdefault(line.split(": #deps")[0], []) if "VALID" in line else []
        elif line.strip() and current is not None:
            current.append(line.strip())
    return dependencies


def object_of(command):
    words = shlex.split(command["command"])
    return words[words.index("-o") + 1] if "-o" in words else ""


class Hasher:
    def __init__(self, build):
        self.build = build
        self.known = {}
        self.common = (ROOT / ".clang-tidy").read_bytes()
        self.common += subprocess.run([TOOL, "--version"], capture_output=True, check=True).stdout

    def of_file(self, name):
        if name not in self.known:
            path = pathlib.Path(self.build, name)
            try:
                if path.resolve().is_relative_to(ROOT):
                    self.known[name] = hashlib.sha256(path.read_bytes()).digest()
                else:
                    status = path.stat()
                    self.known[name] = f"{status.st_size} {status.st_mtime_ns}".encode()
            except OSError:
                self.known[name] = b"missing"
        return self.known[name]

    def of_command(self, command, dependencies):
        total = hashlib.sha256(self.common)
        total.update(command["command"].encode())
        for name in dependencies:
            total.update(name.encode() + self.of_file(name))
        return total.hexdigest()


def is_users(path):
    return path.is_relative_to(ROOT / "src") and not path.name.endswith("_test.cc") and path.name != "test_support.cc"


# A name at the left margin: taken over from elsewhere, or of a macro, type, function, constant.
OWN_NAME = re.compile(r"^(?!namespace|using namespace|template|extern)(?:using ([\w:]+::(\w+));|#define (\w+)"
                      r"|(?:using|struct|class|enum|enum class) (\w+)"
                      r"|[A-Za-z][^;(={]*?(?<!::)\b(\w+)(?:\(|\{| =|\[|;))", re.MULTILINE)
ALIAS = re.compile(r"^\s*namespace \w+ = ", re.MULTILINE)


def own_names(path):
    """{name: what it stands for}: two files can't be one source if a name of both stands for different things. None
    for a file that must stay alone: misc-unused-alias-decls looks at no alias that was included."""
    names = {}
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if ALIAS.search(text):
        return None
    for match in OWN_NAME.finditer(text):
        target, taken_over, *own = match.groups()
        name = taken_over or next((name for name in own if name), None)
        if name:
            names[name] = target or path
    return names


def group(todo, jobs):
    """Puts together what is of one folder and compiled alike: [[(command, build, record)]]."""
    most = max(1, min(TOGETHER, len(todo) // jobs))
    groups, open_groups = [], {}
    for item in sorted(todo, key=lambda item: item[0]["file"]):
        path = item[0]["file"]
        names = own_names(path)
        if names is None:
            groups.append([item])
            continue
        candidates = open_groups.setdefault((item[1], flags_of(item[0])), [])
        for members, taken in candidates:
            if len(members) < most and all(taken.get(name, what) == what for name, what in names.items()):
                members.append(item)
                taken.update(names)
                break
        else:
            groups.append([item])
            candidates.append((groups[-1], names))
    return sorted(groups, key=len, reverse=True)


def flags_of(command):
    """The compile command without the precompiled header, the file and what is made of it."""
    text = re.sub(r" -Winvalid-pch( -Xclang -include(-pch)? -Xclang \S+)*( -include \S+)?", "", command["command"])
    words = shlex.split(text)
    for option in ("-o", "-c", "-MF", "-MT"):
        if option in words:
            at = words.index(option)
            del words[at:at + 2]
    return tuple(words)


def is_clean(members, work):
    """True if the files, included into one source, are clean."""
    if len(members) == 1:
        return False
    name = members[0][0]["file"]
    source = pathlib.Path(work, hashlib.sha256(name.encode()).hexdigest(), "together.cc")
    source.parent.mkdir()
    # NOLINT is for the includes themselves.
    source.write_text("".join(f'#include "{command["file"]}"  // NOLINT\n' for command, _, _ in members))
    # These are headers now. What shadows what is up to the compilers, which see each file alone.
    settings = ["--config-file", str(ROOT / ".clang-tidy"), r"--header-filter=/(src|tests|bench)/[^:]*\.(h|cc)$",
                "--extra-arg=-Wno-shadow"]
    return run_tool(source, members[0][0], settings)[0] == 0


def check(command):
    return run_tool(command["file"], command, [])


def run_tool(source, like, settings):
    directory, flags = like["directory"], [f for f in flags_of(like)[1:] if f != "-MD"]
    call = [TOOL, "--quiet", "--extra-arg=-Wno-unknown-warning-option", *settings, str(source), "--", *flags]
    result = subprocess.run(call, cwd=directory, capture_output=True, text=True)
    # "12 warnings generated" and the like are noise; what matters is on stdout, except a crash.
    output = result.stdout
    if result.returncode != 0 and not output.strip():
        output = result.stderr
    return result.returncode, output


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", action="append", help="a folder with compile_commands.json; default: build/dev")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    builds = [str(pathlib.Path(b).resolve()) for b in options.build or [ROOT / "build" / "dev"]]
    only = {str(pathlib.Path(f).resolve()) for f in options.files}

    cache = ROOT / "build" / "tidy"
    cache.mkdir(parents=True, exist_ok=True)

    plan = {}  # file -> (its command, the build, where it is remembered)
    for build in builds:
        dependencies = read_dependencies(build)
        hasher = Hasher(build)
        with open(pathlib.Path(build, "compile_commands.json"), encoding="utf-8") as file:
            commands = json.load(file)
        for command in commands:
            path = pathlib.Path(command["file"])
            if only and str(path) not in only or not only and not is_users(path):
                continue
            if plan.get(str(path), (None, None, None))[2]:
                continue
            known = dependencies.get(object_of(command))
            plan[str(path)] = command, build, cache / hasher.of_command(command, known) if known else None

    for path in sorted(only - plan.keys()):
        sys.exit(f"{path}: none of the builds compiles it by itself; `cmake --preset dev` and --build build/dev do")

    todo = []
    for command, build, record in plan.values():
        if record and record.exists():
            record.touch()
        else:
            todo.append((command, build, record))

    failed, alone, seen = 0, 0, set()
    with (tempfile.TemporaryDirectory() as work,
          concurrent.futures.ThreadPoolExecutor(options.jobs) as pool):

        def run(members):
            """[(command, record, exit code, output)], and how many were checked alone."""
            if is_clean(members, work):
                return [(command, record, 0, "") for command, _, record in members], 0
            return [(command, record, *check(command)) for command, _, record in members], len(members)

        runs = [pool.submit(run, members) for members in group(todo, options.jobs)]
        for done in concurrent.futures.as_completed(runs):
            results, singly = done.result()
            alone += singly
            for command, record, code, output in results:
                if code == 0:
                    if record:
                        record.touch()
                    continue
                failed += 1
                if output not in seen:  # one header, many files that include it
                    seen.add(output)
                    print(f"--- {pathlib.Path(command['file']).relative_to(ROOT)}\n{output.strip()}", flush=True)

    month_ago = time.time() - 30 * 86400
    for record in cache.iterdir():
        if record.stat().st_mtime < month_ago:
            record.unlink()
    print(f"clang-tidy: {len(plan)} files, {len(todo)} checked, {alone} of them alone, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
