#!/usr/bin/env bash
# Makes tests/data/import/ovs or, with the argument `bypass`, tests/data/import/ovs-bypass, with Open vSwitch
# (user-space datapath), lldpd and iproute2, in network namespaces:
#
#   node: OVS bridge br0 over eth0, a container pod1 (namespace) on it; ARP frames that come in on
#         eth0 for the container are output without NORMAL, as a known CNI plugin did; or, in ovs-bypass,
#         all that comes in there for the node itself
#   peer: one NIC, cabled to node:eth0; both run lldpd
#
# Needs root, openvswitch-switch, lldpd, iproute2, python3. Nothing is left running.
set -euo pipefail

story=${1:-}
out=$(cd "$(dirname "$0")/.." && pwd)/ovs${story:+-$story}
id=ovs$$
work=$(mktemp -d)
chmod 755 "$work"  # lldpctl gives up its privileges
daemons=()

cleanup() {
  for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
  for n in node peer pod1; do ip netns del "$id-$n" 2>/dev/null || true; done
  sleep 0.3
  rm -rf "$work"
}
trap cleanup EXIT

export OVS_RUNDIR=$work OVS_DBDIR=$work OVS_LOGDIR=$work
for n in node peer pod1; do
  ip netns add "$id-$n"
  ip netns exec "$id-$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n "$id-$n" link set lo up
done
ip -n "$id-node" link add name eth0 address 02:00:00:00:02:01 type veth peer name eth0 netns "$id-peer" address 02:00:00:00:02:02
ip -n "$id-node" link add name veth-pod1 type veth peer name eth0 netns "$id-pod1" address 02:00:00:00:02:03
ip -n "$id-node" link set eth0 up
ip -n "$id-node" link set veth-pod1 up
ip -n "$id-peer" link set eth0 up
ip -n "$id-peer" addr add 10.1.0.2/24 dev eth0
ip -n "$id-pod1" link set eth0 up
ip -n "$id-pod1" addr add 10.1.0.3/24 dev eth0

ovsdb-tool create "$work/conf.db" /usr/share/openvswitch/vswitch.ovsschema
db=$work/db.sock
ip netns exec "$id-node" ovsdb-server "$work/conf.db" --remote="punix:$db" --unixctl="$work/ovsdb.ctl" >/dev/null 2>&1 &
daemons+=($!)
for _ in $(seq 50); do [[ -S $db ]] && break; sleep 0.1; done
vsctl() { ovs-vsctl --db="unix:$db" "$@"; }
vsctl --no-wait init
ip netns exec "$id-node" ovs-vswitchd "unix:$db" --unixctl="$work/vswitchd.ctl" >/dev/null 2>&1 &
daemons+=($!)
vsctl add-br br0 -- set bridge br0 datapath_type=netdev other_config:mac-aging-time=120 -- add-port br0 eth0 \
  -- add-port br0 veth-pod1 -- set interface veth-pod1 external_ids:iface-id=pod1 external_ids:attached-mac='"02:00:00:00:02:03"' external_ids:vm-id=pod1
ip -n "$id-node" link set br0 up
ip -n "$id-node" addr add 10.1.0.1/24 dev br0
port() { vsctl get interface "$1" ofport; }
if [[ $story == bypass ]]; then
  own=$(ip -n "$id-node" -j link show br0 | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["address"])')
  ovs-ofctl add-flow "unix:$work/br0.mgmt" "priority=10,in_port=$(port eth0),dl_dst=$own,actions=LOCAL"
else
  ovs-ofctl add-flow "unix:$work/br0.mgmt" "priority=10,arp,in_port=$(port eth0),dl_dst=02:00:00:00:02:03,actions=output:$(port veth-pod1)"
fi

for n in node peer; do
  ip netns exec "$id-$n" lldpd -d -u "$work/lldp-$n" -I eth0 -S "$n" >/dev/null 2>&1 &
  daemons+=($!)
done
if [[ -z $story ]]; then  # in ovs-bypass nothing that NORMAL would learn from
  ip netns exec "$id-pod1" python3 -c 'import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); [s.sendto(b"x",("10.1.0.2",9)) for _ in range(3)]'
fi
ip netns exec "$id-peer" python3 -c 'import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); [s.sendto(b"x",("10.1.0.1",9)) for _ in range(3)]'
ip netns exec "$id-node" python3 -c 'import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); [s.sendto(b"x",("10.1.0.2",9)) for _ in range(3)]'
sleep 6

for n in node peer; do
  mkdir -p "$out/$n"
  ip -n "$id-$n" -s -d -j -p link show >"$out/$n/link.json"
  ip -n "$id-$n" -d -j -p addr show >"$out/$n/addr.json"
  ip -n "$id-$n" -4 -j -p neigh show >"$out/$n/neigh.json"
  ip netns exec "$id-$n" lldpctl -u "$work/lldp-$n" -f json >"$out/$n/lldp.json"
done
vsctl --format=json list Bridge >"$out/node/ovs-bridge.json"
vsctl --format=json list Port >"$out/node/ovs-port.json"
vsctl --format=json list Interface >"$out/node/ovs-interface.json"
ovs-appctl -t "$work/vswitchd.ctl" fdb/show br0 >"$out/node/ovs-fdb-br0.txt"
ovs-ofctl dump-flows "unix:$work/br0.mgmt" >"$out/node/ovs-flows-br0.txt"
echo "made $out"
