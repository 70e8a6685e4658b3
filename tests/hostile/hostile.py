#!/usr/bin/env python3
"""Captures that mean harm: made-up addresses by the million, absurd lengths, jumping clocks, bombs.

    tests/hostile/hostile.py --bin build/release/bin/sekimori [NAME ...]

Each is made, diagnosed by the program, and held against what it may cost: peak memory of 64 MiB and 256 bytes for each
station that is kept, some seconds, an exit code of the program's own, and what was readable told.
"""
import argparse
import gzip
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
BASE = 64 * MIB
STATION = 256
KEPT = 1 << 20  # stations at most


# ---------------------------------------------------------------- making captures

def pcap(snaplen=65535, link=1):
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link)


def record(us, frame, original=None):
    return struct.pack("<IIII", us // 1_000_000, us % 1_000_000, len(frame), original or len(frame)) + frame


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def section():
    return block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(options=b"", link=1, snaplen=0):
    return block(1, struct.pack("<HHI", link, 0, snaplen) + options)


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def packet(frame, at=0, index=0, options=b""):
    padded = frame + bytes(-len(frame) % 4)
    return block(6, struct.pack("<IIIII", index, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame)) + padded + options)


def mac(i):
    return b"\x02" + i.to_bytes(5, "big")


def ethernet(destination, source, kind=0x88B5, payload=bytes(46)):
    return destination + source + struct.pack(">H", kind) + payload


def arp(operation, sender, sender_ip, target_ip):
    return ethernet(b"\xff" * 6, sender, 0x0806, struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + sender
                    + struct.pack(">I", sender_ip) + bytes(6) + struct.pack(">I", target_ip) + bytes(18))


def udp(destination, source, source_port, destination_port, payload):
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, 0, 0xFFFFFFFF)
    return ethernet(destination, source, 0x0800, ip + struct.pack(">HHHH", source_port, destination_port, 8 + len(payload), 0) + payload)


def dhcp(client, xid):
    fixed = struct.pack(">BBBBIHHIIII", 1, 1, 6, 0, xid, 0, 0, 0, 0, 0, 0) + client + bytes(10 + 64 + 128)
    return udp(b"\xff" * 6, client, 68, 67, fixed + b"\x63\x82\x53\x63\x35\x01\x01\x0c\x08" + b"host%04x" % (xid & 0xFFFF) + b"\xff")


# ---------------------------------------------------------------- the captures: name -> pieces of the file

def made_up_sources(out):
    generator = random.Random(1)
    out.write(pcap())
    for i in range(1_500_000):
        source = (generator.getrandbits(46) << 2 & 0xFCFFFFFFFFFF).to_bytes(6, "big")
        out.write(record(i * 10, ethernet(mac(1), source)))


def made_up_pairs(out):
    out.write(pcap())
    for i in range(1_200_000):
        out.write(record(i, ethernet(mac(i % 1201), mac(5000 + i % 1103))))


def made_up_vlans(out):
    out.write(pcap())
    for i in range(300_000):
        tags = struct.pack(">HHH", 0x88A8, i // 4096 % 4096, 0x8100) + struct.pack(">H", i % 4096)
        out.write(record(i, mac(1) + mac(2) + tags + struct.pack(">H", 0x88B5) + bytes(46)))


def arp_scan(out):
    out.write(pcap())
    for i in range(300_000):
        out.write(record(i * 10, arp(1, mac(1), 0x0A000001, 0x0A000000 + i)))


def arp_claims(out):
    out.write(pcap())
    for i in range(400_000):
        out.write(record(i * 10, arp(2, mac(i % 5), 0x0A000000 + i // 5, 0x0A000000 + i // 5)))


def dhcp_starvation(out):
    out.write(pcap())
    for i in range(200_000):
        out.write(record(i * 100, dhcp(mac(i), i)))


def silent_receivers(out):
    """A flood to each of 100 000 receivers, with pauses that make spells of it."""
    out.write(pcap())
    for turn in range(9):
        for i in range(100_000):
            out.write(record(turn // 3 * 60_000_000 + i, udp(mac(i), mac(1 << 33), 9, 9, bytes(18))))


def broadcasts(out):
    """No two alike, and each many times: what knows group frames again must not grow."""
    out.write(pcap())
    for i in range(600_000):
        out.write(record(i, ethernet(b"\xff" * 6, mac(i % 64), payload=struct.pack(">I", i // 3) + bytes(42))))


def nested_tunnels(out):
    """GRE with the greatest key, in itself as often as a frame can hold."""
    frame = ethernet(mac(1), mac(2))
    while len(frame) < 60_000:
        gre = struct.pack(">HHI", 0x2000, 0x6558, 0xFFFFFFFF) + frame
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(gre), 1, 0, 64, 47, 0, 1, 2)
        frame = ethernet(mac(1), mac(2), 0x0800, ip + gre)
    out.write(pcap(1 << 18))
    for i in range(100):
        out.write(record(i, frame))


def clock_jumps(out):
    """From 1970 to 2554 in the file's widest clock, back and forth."""
    out.write(section() + interface(option(9, b"\x09")))
    generator = random.Random(1)
    for i in range(200_000):
        at = generator.choice((0, 1, 1 << 62, (1 << 63) - 1, (1 << 64) - 1, generator.getrandbits(64)))
        out.write(packet(ethernet(mac(i % 7), mac(i % 11)), at))


def no_bytes(out):
    out.write(pcap(snaplen=0))
    out.write(record(1, b"", 1514) * 1_000_000)


def zeros(out):
    """A disk that was full: a header, and then nothing but zeros."""
    out.write(pcap())
    for _ in range(64):
        out.write(bytes(MIB))


def absurd_length(out):
    out.write(pcap())
    for i in range(1000):
        out.write(record(i, ethernet(mac(1), mac(2))))
    out.write(struct.pack("<IIII", 0, 0, 0xFFFFFFF0, 0xFFFFFFF0))


def absurd_block(out):
    out.write(section() + interface() + packet(ethernet(mac(1), mac(2))) * 1000)
    out.write(struct.pack("<II", 6, 0xFFFFFFF0))


def large_blocks(out):
    """Packets with as many options as fit, each block of nearly 4 MiB."""
    out.write(section() + interface())
    comments = option(1, b"x" * 65532) * 60
    for i in range(40):
        out.write(packet(ethernet(mac(1), mac(2)), i, options=comments))


def skipped_blocks(out):
    out.write(section() + interface())
    for _ in range(8):
        out.write(struct.pack("<II", 0x7777, 64 * MIB) + bytes(64 * MIB - 12) + struct.pack("<I", 64 * MIB))
    out.write(packet(ethernet(mac(1), mac(2))) * 1000)


def interfaces(out):
    """100 000 of them, each with a long name, and a frame each."""
    out.write(section())
    for i in range(100_000):
        out.write(interface(option(2, b"%060d" % i)))
        out.write(packet(ethernet(mac(1), mac(2)), i, i))


def long_names(out):
    out.write(section())
    one = interface(option(2, b"n" * 65532) + option(3, b"d" * 65532))
    for _ in range(2000):
        out.write(one)
    out.write(packet(ethernet(mac(1), mac(2))) * 1000)


def sections(out):
    one = section() + interface(option(2, b"eth0")) + packet(ethernet(mac(1), mac(2)))
    out.write(one * 100_000)


def unknown_link(out):
    out.write(pcap(link=999))
    out.write(record(1, bytes(64)) * 100_000)


def bomb(out):
    """A gigabyte of one frame, packed a thousandfold."""
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as packed:
        packed.write(pcap())
        some = record(1, ethernet(mac(1), mac(2))) * 10_000
        for _ in range((1 << 30) // len(some)):
            packed.write(some)


def bomb_in_bomb(out):
    with gzip.GzipFile(fileobj=out, mode="wb") as packed:
        bomb(packed)


# Stations that are kept; what the report must say (None: anything), its exit code.
CAPTURES = {
    made_up_sources: (KEPT, {"mac-flooding"}, 1),
    made_up_pairs: (2304, None, None),
    made_up_vlans: (2 << 14, None, 0),
    arp_scan: (1, None, None),
    arp_claims: (5, None, None),
    dhcp_starvation: (200_000, {"dhcp-starvation"}, 1),
    silent_receivers: (100_001, None, None),
    broadcasts: (64, None, None),
    nested_tunnels: (4, None, 0),
    clock_jumps: (11, None, None),
    no_bytes: (0, set(), 0),
    zeros: (0, set(), 0),
    absurd_length: (2, set(), 2),
    absurd_block: (2, set(), 2),
    large_blocks: (2, None, 0),
    skipped_blocks: (2, None, 0),
    interfaces: (2 << 14, None, 0),
    long_names: (2, None, 0),
    sections: (2 << 14, None, 0),
    unknown_link: (0, set(), 0),
    bomb: (2, None, 0),
    bomb_in_bomb: (0, None, 2),
}


# ---------------------------------------------------------------- judging

def run(program, path, threads, through_pipe):
    what = "-" if through_pipe else path
    # The system tells the greatest child so far: each run gets a process of its own that asks.
    watcher = ("import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)")
    with open(path, "rb") as file:
        start = time.monotonic()
        done = subprocess.run([sys.executable, "-c", watcher, program, "diagnose", what, "--json", f"--threads={threads}"],
                              stdin=file if through_pipe else subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    lines = done.stderr.splitlines()
    return done, int(lines[-1]) * 1024, time.monotonic() - start


def judge(program, make, folder):
    stations, words, code = CAPTURES[make]
    path = folder / make.__name__
    with open(path, "wb", buffering=MIB) as out:
        make(out)
    problems = []
    answers = []
    for threads, through_pipe in ((1, False), (2, True)):
        done, memory, seconds = run(program, path, threads, through_pipe)
        allowed = BASE + STATION * stations
        if memory > allowed:
            problems.append(f"took {memory / MIB:.0f} MiB, of {allowed / MIB:.0f}")
        if done.returncode not in (0, 1, 2) or (code is not None and done.returncode != code):
            problems.append(f"exit code {done.returncode}, expected {code}: {done.stderr[-300:]}")
        if done.stdout:
            report = json.loads(done.stdout.replace(str(path), "standard input"))
            found = {f["code"] for f in report["findings"]}
            if words is not None and not (found == words or (words and words <= found)):
                problems.append(f"found {sorted(found)}, expected {sorted(words)}")
            answers.append(report)
        print(f"  {make.__name__:16} {os.path.getsize(path) / MIB:7.1f} MiB  threads {threads}  exit {done.returncode}"
              f"  {memory / MIB:6.1f} of {allowed / MIB:5.0f} MiB  {seconds:5.1f} s", flush=True)
    if len(answers) == 2 and answers[0] != answers[1]:
        problems.append("file and pipe, one thread and two, give different reports")
    path.unlink()
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="the program")
    parser.add_argument("names", nargs="*", help="only these captures")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for make in CAPTURES:
            if arguments.names and make.__name__ not in arguments.names:
                continue
            for problem in judge(arguments.bin, make, pathlib.Path(folder)):
                failed += 1
                print(f"{make.__name__}: {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
