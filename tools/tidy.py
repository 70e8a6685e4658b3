#!/usr/bin/env python3
"""clang-tidy over the project, in parallel, each file only when something it depends on has changed.

    tidy.py [--build build/dev]... [--jobs N] [FILE...]

A file that passed is remembered in build/tidy under a hash of: the checks, the tool, the compile command, the
text of every project file that it includes, and size and time of every system header. What it includes comes
from ninja's own record, of the first of the builds that compiled it; a file that none has compiled is always
checked.
Of the project only what users run is checked, src/ without its tests: the rest would take as long again. A file that is
named is checked wherever it is.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

TOOL = "clang-tidy-19"
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


def check(command, build):
    name = command["file"]
    call = [TOOL, "--quiet", "-p", build, "--extra-arg=-Wno-unknown-warning-option"]
    result = subprocess.run(call + [name], capture_output=True, text=True)
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

    todo = []
    for command, build, record in plan.values():
        if record and record.exists():
            record.touch()
        else:
            todo.append((command, build, record))

    failed, seen = 0, set()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = {pool.submit(check, command, build): (command, record) for command, build, record in todo}
        for run in concurrent.futures.as_completed(runs):
            command, record = runs[run]
            code, output = run.result()
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
    print(f"clang-tidy: {len(plan)} files, {len(todo)} checked, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
