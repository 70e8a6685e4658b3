#!/usr/bin/env bash
# Makes tests/data/import/ovs-bonds with Open vSwitch (user-space datapath) and iproute2, in network namespaces:
#
#   node: br0 with bond0 (balance-tcp, LACP); br1 with bond1 (active-backup, with a primary);
#         br2 with bond2 (balance-slb). Each bond has two NICs, eth0 to eth5.
#   peer: the other ends; those of bond0 are a bond with LACP
#
# Needs root, openvswitch-switch, iproute2. Nothing is left running.
set -euo pipefail

out=$(cd "$(dirname "$0")/.." && pwd)/ovs-bonds/node
id=ovsb$$
work=$(mktemp -d)
daemons=()

cleanup() {
  for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
  for n in node peer; do ip netns del "$id-$n" 2>/dev/null || true; done
  sleep 0.3
  rm -rf "$work"
}
trap cleanup EXIT

for n in node peer; do
  ip netns add "$id-$n"
  ip netns exec "$id-$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n "$id-$n" link set lo up
done
for i in 0 1 2 3 4 5; do
  ip -n "$id-node" link add name "eth$i" address "02:00:00:00:03:0$i" type veth peer name "p$i" netns "$id-peer"
  ip -n "$id-node" link set "eth$i" up
  ip -n "$id-peer" link set "p$i" up
done

start() { # MACHINE
  mkdir "$work/$1"
  local db=$work/$1/db.sock
  export OVS_RUNDIR=$work/$1 OVS_DBDIR=$work/$1 OVS_LOGDIR=$work/$1
  ovsdb-tool create "$work/$1/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  ip netns exec "$id-$1" ovsdb-server "$work/$1/conf.db" --remote="punix:$db" --unixctl="$work/$1/ovsdb.ctl" >/dev/null 2>&1 &
  daemons+=($!)
  for _ in $(seq 50); do [[ -S $db ]] && break; sleep 0.1; done
  vsctl "$1" --no-wait init
  ip netns exec "$id-$1" ovs-vswitchd "unix:$db" --unixctl="$work/$1/vswitchd.ctl" >/dev/null 2>&1 &
  daemons+=($!)
}
vsctl() { ovs-vsctl --db="unix:$work/$1/db.sock" "${@:2}"; }
netdev() { echo add-br "$1" -- set bridge "$1" datapath_type=netdev; }

start peer
# shellcheck disable=SC2046
vsctl peer $(netdev up) -- add-bond up lag p0 p1 bond_mode=balance-tcp lacp=active other_config:lacp-time=fast
start node
# shellcheck disable=SC2046
vsctl node $(netdev br0) -- add-bond br0 bond0 eth0 eth1 bond_mode=balance-tcp lacp=active other_config:lacp-time=fast \
  -- $(netdev br1) -- add-bond br1 bond1 eth2 eth3 bond_mode=active-backup other_config:bond-primary=eth3 tag=10 \
  -- $(netdev br2) -- add-bond br2 bond2 eth4 eth5 bond_mode=balance-slb
for n in 0 1 2; do
  ip -n "$id-node" link set "br$n" up
  ip -n "$id-node" addr add "10.$n.0.1/24" dev "br$n"
done
sleep 5

mkdir -p "$out"
ip -n "$id-node" -s -d -j link show >"$out/link.json"
ip -n "$id-node" -d -j addr show >"$out/addr.json"
for table in Bridge Port Interface; do vsctl node --format=json list "$table" >"$out/ovs-${table,,}.json"; done
for n in 0 1 2; do ovs-appctl -t "$work/node/vswitchd.ctl" fdb/show "br$n" >"$out/fdb-br$n.txt"; done
