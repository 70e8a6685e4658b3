#!/usr/bin/env python3
"""Runs the tests of a GoogleTest program side by side, each in a process of its own: for tests that wait for clocks
more than they compute, and are late where others take the processors.

    side_by_side.py --at-once N [--alone FILTER] PROGRAM

What the filter names ("RealGuest.*:UpDown.TwoHundred*") computes, too, and runs afterwards, one by one. Prints a line
for each test and all that a failed one has said; exits 1 if one failed or there is none.
"""

import argparse
import concurrent.futures
import ctypes
import fnmatch
import os
import re
import signal
import subprocess
import sys

TIMEOUT = 120  # seconds for a test
RESULT = re.compile(r"^\[ +(?:OK|SKIPPED) +\] \S+ \(.*", re.MULTILINE)


def list_tests(program):
    """Their full names. Comments follow the names of those that are made of parameters."""
    text = subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout
    names, suite = [], None
    for line in text.splitlines():
        word = line.split("#")[0].strip()
        if line.startswith("  "):
            names.append(suite + word)
        elif word.endswith("."):
            suite = word
    return [name for name in names if "DISABLED_" not in name]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run(program, name):
    """(it passed, what to print). Shards are of no concern to a test that is named."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GTEST_")}
    try:
        done = subprocess.run([program, "--gtest_filter=" + name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, errors="replace", timeout=TIMEOUT, env=environment,
                              preexec_fn=die_with_parent)
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
        return False, f"{output.decode(errors='replace')}[  FAILED  ] {name}: not done after {TIMEOUT} s"
    result = RESULT.search(done.stdout)
    if done.returncode == 0 and result:
        return True, result.group(0)
    return False, f"{done.stdout}[  FAILED  ] {name}: exit code {done.returncode}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--alone", default="", help="patterns, with colons in between")
    parser.add_argument("program")
    options = parser.parse_args()

    tests = list_tests(options.program)
    patterns = [pattern for pattern in options.alone.split(":") if pattern]
    for pattern in patterns:
        if not fnmatch.filter(tests, pattern):
            sys.exit(f"--alone: no test is called {pattern}")
    alone = [test for test in tests if any(fnmatch.fnmatchcase(test, pattern) for pattern in patterns)]
    failed = 0
    for names, workers in ([test for test in tests if test not in alone], options.at_once), (alone, 1):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for result in concurrent.futures.as_completed([pool.submit(run, options.program, n) for n in names]):
                passed, text = result.result()
                failed += not passed
                print(text, flush=True)
    print(f"{len(tests)} tests, {failed} failed")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
