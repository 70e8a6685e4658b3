#!/usr/bin/env python3
"""Writes made_protocols.pcap: one frame of each kind that the decoders know and no public sample here holds.

What the frames mean is not stated here: the tests compare our decoders with tshark's.
"""
import struct
import sys
from pathlib import Path

A, B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
IP_A, IP_B = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
V6_A, V6_B = bytes.fromhex("fe80" + "00" * 13 + "01"), bytes.fromhex("fe80" + "00" * 5 + "0001" + "00" * 6 + "02")


def ethernet(kind, payload, destination=B):
    return destination + A + struct.pack("!H", kind) + payload


def ipv4(protocol, payload, ttl=64, options=b"", fragment=0):
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 7, fragment, ttl,
                       protocol, 0)
    return head + IP_A + IP_B + options + payload


def ipv6(protocol, payload, hops=255):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + V6_A + V6_B + payload


def udp(source, destination, payload):
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def icmpv6(kind, body):
    return struct.pack("!BBH", kind, 0, 0) + body


ARP = struct.pack("!HHHH", 1, 0x800, 0x604, 1) + A + IP_A + bytes(6) + IP_B
INNER = ethernet(0x806, ARP, b"\xff" * 6)
MAC_OPTION = {kind: bytes([kind, 1]) + A for kind in (1, 2)}
GLBP = (struct.pack("!BBHH", 1, 0, 10, 0) + A +
        struct.pack("!BBBBBBHIIHHHBB", 1, 28, 0, 32, 0, 110, 0, 3000, 10000, 600, 14400, 0, 1, 4) + IP_B +
        struct.pack("!BBBBBBB", 2, 20, 1, 32, 0, 167, 100) + bytes(7) + bytes.fromhex("0007b4000a01"))
HSRP2 = (struct.pack("!BBBBBBH", 1, 40, 2, 0, 6, 4, 1234) + A + struct.pack("!III", 150, 3000, 10000) + IP_B +
         bytes(12))
VRRP3 = struct.pack("!BBBBHH", 0x31, 5, 200, 1, 25, 0)
RECORD = struct.pack("!BBH", 4, 0, 0) + bytes([239, 1, 2, 3])
SYN = struct.pack("!HHIIHHHH", 1000, 80, 1, 0, 0xB002, 8192, 0, 0) + bytes.fromhex(
    "020405b4" "01" "030308" "01" "01" "0402" "080a0000000a00000000" "0000")

FRAMES = [
    ethernet(0x800, ipv4(17, udp(3222, 3222, GLBP), 255)),
    ethernet(0x800, ipv4(17, udp(1985, 1985, HSRP2), 1).replace(IP_B, bytes([224, 0, 0, 102]), 1)),
    ethernet(0x800, ipv4(112, VRRP3 + IP_B, 255)),
    ethernet(0x86DD, ipv6(112, VRRP3 + V6_B)),
    ethernet(0x800, ipv4(2, bytes([0x16, 0, 0, 0, 239, 1, 2, 3]), 1, bytes.fromhex("94040000"))),
    ethernet(0x800, ipv4(2, bytes([0x11, 100, 0, 0, 0, 0, 0, 0]), 1)),
    ethernet(0x800, ipv4(2, struct.pack("!BBHHH", 0x22, 0, 0, 0, 1) + RECORD, 1)),
    ethernet(0x800, ipv4(2, struct.pack("!BBHHH", 0x22, 0, 0, 0, 0), 1)),
    ethernet(0x800, ipv4(17, udp(5000, 6081, struct.pack("!BBHI", 1, 0, 0x6558, 4096 << 8) + bytes(4) + INNER))),
    ethernet(0x800, ipv4(17, udp(5000, 8472, struct.pack("!II", 8 << 24, 42 << 8) + INNER))),
    ethernet(0x800, ipv4(47, struct.pack("!HHI", 0x2000, 0x6558, 99) + INNER)),
    ethernet(0x800, ipv4(47, struct.pack("!HH", 0, 0x88BE) + INNER)),
    ethernet(0x86DD, ipv6(58, icmpv6(133, bytes(4) + MAC_OPTION[1]))),
    ethernet(0x86DD, ipv6(58, icmpv6(134, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + MAC_OPTION[1]))),
    ethernet(0x86DD, ipv6(58, icmpv6(135, bytes(4) + V6_B + MAC_OPTION[1]))),
    ethernet(0x86DD, ipv6(58, icmpv6(136, struct.pack("!I", 5 << 29) + V6_A + MAC_OPTION[2]))),
    ethernet(0x86DD, ipv6(58, icmpv6(136, struct.pack("!I", 2 << 29) + V6_A + MAC_OPTION[2]))),
    ethernet(0x86DD, ipv6(58, icmpv6(137, bytes(4) + V6_B + V6_A + MAC_OPTION[2]))),
    ethernet(0x86DD, ipv6(0, bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([17, 1, 1, 12]) + bytes(12) +
                          udp(4000, 4001, b"behind two extension headers"))),
    ethernet(0x86DD, ipv6(44, struct.pack("!BBHI", 17, 0, 1, 7) + udp(4000, 4001, bytes(32)))),
    ethernet(0x86DD, ipv6(44, struct.pack("!BBHI", 17, 0, 40, 7) + bytes(32))),
    ethernet(0x86DD, ipv6(51, struct.pack("!BBHII", 17, 4, 0, 1, 1) + bytes(12) + udp(4000, 4001, bytes(8)))),
    ethernet(0x800, ipv4(17, udp(4000, 4001, bytes(24)), fragment=0x2000)),
    ethernet(0x800, ipv4(17, bytes(24), fragment=4)),
    ethernet(0x800, ipv4(1, struct.pack("!BBHI", 3, 1, 0, 0) + ipv4(17, udp(4000, 4001, b"")))),
    ethernet(0x800, ipv4(6, SYN)),
    ethernet(0x8100, struct.pack("!HHHHHH", 0x600A, 0x8100, 20, 0x8100, 30, 0x806) + ARP),
    ethernet(0x9100, struct.pack("!HHHH", 10, 0x8100, 20, 0x806) + ARP),
    ethernet(0x88A8, struct.pack("!HHHH", 0xE00A, 0x8100, 0, 0x806) + ARP),
    ethernet(0x8864, struct.pack("!BBHHH", 0x11, 0, 1, 2 + 48, 0x57) + ipv6(17, udp(4000, 4001, b""))),
    ethernet(0x8035, struct.pack("!HHHH", 1, 0x800, 0x604, 3) + A + bytes(4) + A + bytes(4), b"\xff" * 6),
    ethernet(0x800, ipv4(17, udp(68, 67, struct.pack("!BBBBIHH", 1, 1, 6, 0, 5, 0, 0) + bytes(16) + A + bytes(202) +
                                 bytes.fromhex("63825363") + bytes([53, 1, 1, 12, 4]) + b"name" + b"\xff"))),
]


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "made_protocols.pcap")
    records = [struct.pack("<IIII", i, 0, len(f), len(f)) + f for i, f in enumerate(FRAMES)]
    out.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))


if __name__ == "__main__":
    main()
