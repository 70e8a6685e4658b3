#!/usr/bin/env bash
# The kernel of tests/guest and of the guests of tests/lab: fetches Debian's cloud kernel, without installing it, and
# leaves in DIR `vmlinuz`, in DIR/modules the modules that a bridge with VLAN filtering needs, and in DIR/virtio those of
# a virtio NIC and disk, numbered in the order of loading.
#
#   tools/guest_kernel.sh DIR
set -euo pipefail

if (($# != 1)); then
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  exit 2
fi
dir=$1
is_whole() { compgen -G "$dir/modules/*-bonding.ko" >/dev/null && compgen -G "$dir/virtio/*-virtio_blk.ko" >/dev/null; }
is_whole && exit 0
if [[ $(dpkg --print-architecture) != amd64 ]]; then
  echo "guest_kernel.sh: it knows Debian's kernel for amd64 only" >&2
  exit 3
fi

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
if [[ -z $package ]]; then
  echo "guest_kernel.sh: apt knows no linux-image-cloud-amd64 (apt-get update?)" >&2
  exit 3
fi
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$package")
dpkg -x "$work"/*.deb "$work/root"

modules() { # FOLDER MODULE...
  local folder=$work/kernel/$1 number=10 module file
  shift
  mkdir -p "$folder"
  for module in "$@"; do
    file=$(find "$work/root/lib/modules" -name "$module.ko" -print -quit)
    if [[ -z $file ]]; then
      echo "guest_kernel.sh: $package has no module $module" >&2
      exit 3
    fi
    cp "$file" "$folder/$number-$module.ko"
    number=$((number + 1))
  done
}
modules modules llc stp garp mrp bridge 8021q veth tls bonding
modules virtio virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net virtio_blk
cp "$work"/root/boot/vmlinuz-* "$work/kernel/vmlinuz"
# Somebody else may have been faster; theirs is as good. One of an earlier version lacks some modules.
is_whole || rm -rf "$dir"
mv -T "$work/kernel" "$dir" 2>/dev/null || is_whole
