#!/usr/bin/env python3
"""The diagnosis of a capture, its speed and memory, beside tshark, tcpdump and arpwatch in the same run.

    bench/compare_captures.py [--build build/release] [--frames 10000000] [--rounds 3] [--no-peers]

Generates captures (bench/make_capture) into a temporary folder, reads them from the page cache with the real programs, in
turn, and prints medians. What sekimori answers is checked: nothing in a healthy capture, a planted flood with its rate, and
the same report with one thread and two. Needs Debian's time, tshark, tcpdump and arpwatch, and 4 GB of disk and of page cache.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Run:
    def __init__(self, command):
        # GNU time is small; of a child of this process the system would tell at least this process's memory.
        with tempfile.TemporaryFile() as out, tempfile.NamedTemporaryFile("r") as figures:
            start = time.monotonic()
            self.code = subprocess.call(["/usr/bin/time", "-q", "-f", "%U %S %M", "-o", figures.name, *map(str, command)],
                                        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
            self.wall = time.monotonic() - start
            user, system, kib = figures.read().split()
            self.cpu = float(user) + float(system)
            self.mib = int(kib) / 1024
            out.seek(0)
            self.output = out.read(1 << 20).decode(errors="replace")


def medians(command, rounds, check=None):
    runs = [Run(command) for _ in range(rounds)]
    for run in runs:
        if check:
            check(run)
        elif run.code != 0:
            sys.exit(f"compare_captures.py: {command[0]} ended with {run.code}")
    return runs


def row(name, frames, runs):
    wall, cpu, mib = (statistics.median(getattr(r, key) for r in runs) for key in ("wall", "cpu", "mib"))
    best, cpu = min(r.wall for r in runs), max(cpu, 0.01)  # its resolution
    print(f"{name:34} {frames:>10} {frames / wall * 1e-6:9.2f} {frames / best * 1e-6:9.2f} {frames / cpu * 1e-6:11.2f} {mib:8.1f}", flush=True)


def heading(text):
    print(f"\n{text}\n{'':34} {'frames':>10} {'M/s wall':>9} {'best':>9} {'M/s per CPU':>11} {'RSS MiB':>8}")


def fail(what):
    sys.exit(f"compare_captures.py: wrong answer: {what}")


def healthy(frames):
    def check(run):
        report = json.loads(run.output)
        if run.code != 0 or report["findings"] or not report["title"].startswith(f"{frames} frames"):
            fail(f"a healthy capture is told as {report['title']}: {report['findings'][:1]}")
    return check


def walked(frames):
    def check(run):
        if run.code != 0 or not run.output.startswith(f"{frames} frames"):
            fail(f"bare_read says {run.output}")
    return check


def flooded(run):
    report = json.loads(run.output)
    words = [f["code"] for f in report["findings"]]
    if len(words) != 1 or not words[0].startswith("flood-") or ": 8 Mbit/s from" not in report["findings"][0]["headline"]:
        fail(f"a planted flood is told as {report['findings']}")


def make(build, folder, name, **traffic):
    path = pathlib.Path(folder) / f"{name}.pcap"
    with open(path, "wb") as out:
        subprocess.run([build / "bench" / "make_capture", *(f"--{k.replace('_', '-')}={v}" for k, v in traffic.items())],
                       stdout=out, check=True)
    return path


def compare_peers(build, folder, rounds):
    """tcpdump and arpwatch on a million frames, tshark on a tenth: minutes otherwise. Per frame they cost what they cost."""
    for name in ("tshark", "tcpdump", "arpwatch"):
        if shutil.which(name) is None:
            sys.exit(f"compare_captures.py: {name} is not installed (Debian: apt-get install tshark tcpdump arpwatch)")
    million = make(build, folder, "million", frames=1_000_000)
    tenth = make(build, folder, "tenth", frames=100_000)
    untagged = make(build, folder, "untagged", frames=1_000_000, vlans=0)
    state = pathlib.Path(folder) / "arp.dat"
    state.touch()
    row("tcpdump -w /dev/null", 1_000_000, medians(["tcpdump", "-r", million, "-w", "/dev/null"], rounds))
    row("tcpdump -nn", 100_000, medians(["tcpdump", "-nn", "-r", tenth], rounds))
    row("arpwatch (untagged ARP only)", 1_000_000, medians(["arpwatch", "-d", "-f", state, "-r", untagged], rounds, lambda run: None))
    row("tshark -z conv,eth", 100_000, medians(["tshark", "-n", "-q", "-r", tenth, "-z", "conv,eth"], rounds))
    row("tshark -z expert", 100_000, medians(["tshark", "-n", "-q", "-r", tenth, "-z", "expert"], rounds))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    arguments = parser.parse_args()
    program = arguments.build / "bin" / "sekimori"

    def diagnose(path, threads, *options):
        return [program, "diagnose", path, "--json", f"--threads={threads}", *options]

    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors; medians of {arguments.rounds}")
    with tempfile.TemporaryDirectory() as folder:
        capture = make(arguments.build, folder, "capture", frames=arguments.frames)
        heading(f"1 010 stations, 10 VLANs, 65 536 flows, {capture.stat().st_size / 1e9:.2f} GB")
        for threads in (1, 2):
            row(f"sekimori diagnose --threads {threads}", arguments.frames,
                medians(diagnose(capture, threads), arguments.rounds, healthy(arguments.frames)))
        row("bare_read, which only walks", arguments.frames,
            medians([arguments.build / "bench" / "bare_read", capture], arguments.rounds, walked(arguments.frames)))
        if Run(diagnose(capture, 1)).output != Run(diagnose(capture, 2)).output:
            fail("one thread and two differ")
        if not arguments.no_peers:
            compare_peers(arguments.build, folder, arguments.rounds)
        capture.unlink()

        heading("one thread, as many flows as 16 times the stations, each station heard 100 times a second")
        frames = max(1, arguments.frames * 3 // 10)
        for stations in (100, 1_000, 10_000, 100_000):
            capture = make(arguments.build, folder, "stations", frames=frames, stations=stations, flows=16 * stations,
                           step_ns=10_000_000 // stations)
            runs = medians(diagnose(capture, 1), arguments.rounds, healthy(frames))
            allowed = 64 + stations * 256 / (1 << 20)
            row(f"{stations} stations, {allowed:.1f} MiB allowed", frames, runs)
            if max(r.mib for r in runs) > allowed:
                fail(f"{stations} stations took {max(r.mib for r in runs):.1f} MiB")

        flood = make(arguments.build, folder, "flood", frames=400_000, access=1, stations=100, vlans=0, flows=2000,
                     flood_every=20, step_ns=50_000)
        for threads in (1, 2):
            flooded(Run(diagnose(flood, threads, "--at=access")))
        print("\na planted flood of 8 Mbit/s: found, with its rate")


if __name__ == "__main__":
    main()
