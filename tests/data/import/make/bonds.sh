#!/usr/bin/env bash
# Makes tests/data/import/bonds with iproute2 on a kernel that has bonding: a machine with four bonds, and one that
# is not used. Two of its NICs have LACP's partner at the other end.
#
# To be run as root in a virtual machine that is thrown away afterwards, with eleven NICs, eth0 to eth10, that have a
# speed (LACP joins none without), with no address yet. eth2 and eth9 are one wire, and eth3 and eth10, as with
#
#   qemu-system-x86_64 … -netdev hubport,id=n2,hubid=2 -device virtio-net-pci,speed=1000,duplex=full,netdev=n2 …
set -euo pipefail

out=$(cd "$(dirname "$0")/.." && pwd)/bonds/hv1
mkdir -p "$out"

bond() { # NAME NIC... -- OPTION...
  local name=$1 nics=()
  shift
  while [[ $1 != -- ]]; do
    nics+=("$1")
    shift
  done
  shift
  ip link add "$name" type bond "$@"
  for nic in "${nics[@]}"; do ip link set "$nic" master "$name"; done
}

ip link del bond0 2>/dev/null || true  # bonding makes it when it is loaded
bond bond0 eth0 eth1 -- mode active-backup miimon 100
ip link set bond0 type bond primary eth1
ip link set bond0 up
ip addr add 10.0.0.1/24 dev bond0
ip route add default via 10.0.0.254
ip link add link bond0 name bond0.10 type vlan id 10
ip link set bond0.10 up
ip addr add 10.0.10.1/24 dev bond0.10

bond bond1 eth2 eth3 eth4 -- mode 802.3ad miimon 100 xmit_hash_policy layer3+4 lacp_rate fast
ip link add br0 type bridge
ip link set bond1 master br0 up
ip link set br0 up
ip addr add 10.1.0.1/24 dev br0
ip link set eth4 down

bond bond2 eth5 eth6 -- mode balance-alb miimon 100
ip link add br1 type bridge
ip link set bond2 master br1 up
ip link set br1 up
ip addr add 10.2.0.1/24 dev br1

bond bond3 eth7 eth8 -- mode active-backup fail_over_mac active arp_interval 1000 arp_ip_target 10.3.0.254
ip link set bond3 up
ip addr add 10.3.0.1/24 dev bond3
ip link add unused type bond

ip netns add peer
ip link set eth9 netns peer
ip link set eth10 netns peer
ip -n peer link add bond0 type bond mode 802.3ad miimon 100 lacp_rate fast
for nic in eth9 eth10; do ip -n peer link set "$nic" master bond0; done
ip -n peer link set bond0 up
sleep 8

ip -s -d -j link show >"$out/link.json"
ip -d -j addr show >"$out/addr.json"
ip -4 -j neigh show >"$out/neigh.json"
ip -4 -j route show >"$out/route.json"
bridge -d -j link show >"$out/bridge-link.json"
bridge -d -j fdb show >"$out/fdb.json"
bridge -j vlan show >"$out/vlan.json"
