#!/usr/bin/env python3
"""The simulator beside ns-3 on the same trees, in one run.

    bench/compare_ns3.py [--bench build/release/bench/simulate_bench] [--rounds 3]

Needs ns-3 (Debian: libns3-dev) and the release build. Runs the two in turn, so that a machine whose speed drifts is
fair to both, and prints medians of M frame-hops per CPU-second and their ratio.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ["applications", "bridge", "core", "csma", "internet", "network", "stats", "traffic-control"]
SIZES = [4, 40, 400]


def build_peer(folder):
    # Debian's pkg-config files of ns-3 ask for packages that it does not need.
    if not pathlib.Path("/usr/include/ns3/core-module.h").exists():
        sys.exit("compare_ns3.py: ns-3 is not installed (Debian: apt-get install libns3-dev)")
    program = pathlib.Path(folder) / "ns3_bridge_tree"
    subprocess.run(["g++", "-std=c++17", "-O2", HERE / "peers" / "ns3_bridge_tree.cc", "-o", program,
                    *(f"-lns3-{m}" for m in MODULES)], check=True)
    return program


def ours(bench, mode, switches):
    name = {"unicast": "unicast", "flood": "flooded"}[mode]
    out = subprocess.run([bench, f"--benchmark_filter=^{name}/switches:{switches}/", "--benchmark_format=json",
                          "--benchmark_min_time=0.3"], cwd=HERE.parent, capture_output=True, text=True, check=True)
    result = json.loads(out.stdout)["benchmarks"][0]
    if result.get("error_occurred"):
        sys.exit(f"compare_ns3.py: wrong answer: {result['error_message']}")
    return result["Mhops_per_cpu_s"]


def theirs(program, mode, switches):
    # A simulated second of flood in the largest tree would take ns-3 ten minutes.
    seconds = 1 if mode == "unicast" else 1 / switches
    out = subprocess.run([program, f"--mode={mode}", f"--switches={switches}", f"--seconds={seconds}"], capture_output=True, text=True, check=True)
    result = json.loads(out.stdout)
    return result["hops"] / result["cpu_s"] * 1e-6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=HERE.parent / "build" / "release" / "bench" / "simulate_bench")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = build_peer(folder)
        print("M frame-hops per CPU-second, median of", arguments.rounds)
        print(f"{'tree':>24} {'sekimori':>9} {'ns-3':>7} {'ratio':>7}")
        for switches in SIZES:
            for mode in ("unicast", "flood"):
                pairs = [(ours(arguments.bench, mode, switches), theirs(program, mode, switches))
                         for _ in range(arguments.rounds)]
                a, b = (statistics.median(side) for side in zip(*pairs))
                print(f"{switches * 25:>10} hosts, {mode:<7} {a:9.1f} {b:7.2f} {a / b:7.0f}", flush=True)


if __name__ == "__main__":
    main()
