#!/usr/bin/env bash
# Makes tests/data/import/lan with iproute2, libvirt and lldpd, in network namespaces:
#
#   server: br0 over eth0, two guests of libvirt (QEMU without a disk), which have one MAC
#   desk:   one NIC
#   sw1:    a Linux bridge that plays the switch between them
#
# Needs root, iproute2, libvirt-daemon, libvirt-daemon-driver-qemu, libvirt-clients, qemu-system-x86, lldpd, python3.
# Nothing is left running: namespaces and daemons are ended, also after a failure.
set -euo pipefail

out=$(cd "$(dirname "$0")/.." && pwd)
id=imp$$
work=$(mktemp -d)
chmod 755 "$work"  # lldpctl gives up its privileges
daemons=()

cleanup() {
  virsh -q -c "$uri" destroy app >/dev/null 2>&1 || true
  virsh -q -c "$uri" destroy app2 >/dev/null 2>&1 || true
  for domain in app app2 spare; do virsh -q -c "$uri" undefine "$domain" >/dev/null 2>&1 || true; done
  virsh -q -c "$uri" net-undefine lan >/dev/null 2>&1 || true
  for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
  for n in server desk sw1; do ip netns del "$id-$n" 2>/dev/null || true; done
  rm -rf "$work"
}
uri=qemu:///system
trap cleanup EXIT

in_ns() { ip netns exec "$id-$1" "${@:2}"; }

# Sends one datagram from a namespace, so that ARP and the tables know both.
talk() {
  in_ns "$1" python3 -c 'import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.sendto(b"x",(sys.argv[1],9))' "$2"
}

for n in server desk sw1; do
  ip netns add "$id-$n"
  in_ns "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n "$id-$n" link set lo up
done
ip -n "$id-server" link add name eth0 address 02:00:00:00:01:01 type veth peer name p1 netns "$id-sw1"
ip -n "$id-desk" link add name eth0 address 02:00:00:00:01:02 type veth peer name p2 netns "$id-sw1"
ip -n "$id-sw1" link add name br0 type bridge
for p in p1 p2; do ip -n "$id-sw1" link set "$p" master br0 up; done
ip -n "$id-sw1" link set br0 up
ip -n "$id-server" link add name br0 type bridge ageing_time 60000
ip -n "$id-server" link set eth0 master br0 up
ip -n "$id-server" link set br0 up
ip -n "$id-server" addr add 10.0.0.1/24 dev br0
ip -n "$id-desk" link set eth0 up
ip -n "$id-desk" addr add 10.0.0.2/24 dev eth0
ip -n "$id-desk" route add default via 10.0.0.1

ip netns exec "$id-server" virtlogd -p "$work/virtlogd.pid" >/dev/null 2>&1 &
daemons+=($!)
ip netns exec "$id-server" libvirtd -p "$work/libvirtd.pid" >/dev/null 2>&1 &
daemons+=($!)
for _ in $(seq 50); do virsh -q -c "$uri" list >/dev/null 2>&1 && break; sleep 0.2; done

domain() {
  cat <<XML
<domain type='qemu'>
  <name>$1</name>
  <uuid>$2</uuid>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='bridge'>
      <mac address='$3'/>
      <source bridge='br0'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
  </devices>
</domain>
XML
}
virsh -q -c "$uri" net-define /dev/stdin <<'XML'
<network>
  <name>lan</name>
  <forward mode='bridge'/>
  <bridge name='br0'/>
</network>
XML
domain app 7c1e0b7a-0000-4000-8000-000000000001 52:54:00:00:00:09 >"$work/app.xml"
domain app2 7c1e0b7a-0000-4000-8000-000000000002 52:54:00:00:00:09 >"$work/app2.xml"
domain spare 7c1e0b7a-0000-4000-8000-000000000003 52:54:00:00:00:0a >"$work/spare.xml"
for d in app app2 spare; do virsh -q -c "$uri" define "$work/$d.xml"; done
for d in app app2; do virsh -q -c "$uri" start "$d"; done

for n in server desk sw1; do
  nics=eth0
  [[ $n == sw1 ]] && nics=p1,p2
  ip netns exec "$id-$n" lldpd -d -u "$work/lldp-$n" -I "$nics" -S "$n" >/dev/null 2>&1 &
  daemons+=($!)
done
talk desk 10.0.0.1
talk server 10.0.0.2
ip -n "$id-server" neigh replace 10.0.0.9 lladdr 52:54:00:00:00:09 dev br0
sleep 5

for n in server desk sw1; do
  to=$out/lan/$n
  mkdir -p "$to"
  pretty=()
  [[ $n == sw1 ]] && pretty=(-p)
  ip -n "$id-$n" -s -d -j "${pretty[@]}" link show >"$to/link.json"
  ip -n "$id-$n" -d -j "${pretty[@]}" addr show >"$to/addr.json"
  ip -n "$id-$n" -4 -j "${pretty[@]}" neigh show >"$to/neigh.json"
  ip -n "$id-$n" -4 -j "${pretty[@]}" route show >"$to/route.json"
  in_ns "$n" bridge -d -j "${pretty[@]}" link show >"$to/bridge-link.json"
  in_ns "$n" bridge -d -j "${pretty[@]}" fdb show >"$to/fdb.json"
  ip netns exec "$id-$n" lldpctl -u "$work/lldp-$n" -f json >"$to/lldp.json"
done
to=$out/lan/server/libvirt
mkdir -p "$to"
for d in app app2 spare; do virsh -q -c "$uri" dumpxml "$d" >"$to/$d.xml"; done
virsh -q -c "$uri" net-dumpxml lan >"$to/network-lan.xml"
cp /etc/libvirt/qemu/spare.xml "$to/spare-config.xml"
echo "made $out/lan"
