# shellcheck shell=bash disable=SC2034
# The one list of packages, for ./sekimori (build) and ./test (build and test). To be sourced by bash.
#
# A line is: Debian package, and how to see it on a system without dpkg: a command, or a <header>.

sekimori_build_packages='
  g++                 g++
  cmake               cmake
  ninja-build         ninja
  pkg-config          pkg-config
  ccache              ccache
  libfmt-dev          <fmt/format.h>
  libcli11-dev        <CLI/CLI.hpp>
  libfyaml-dev        <libfyaml.h>
  nlohmann-json3-dev  <nlohmann/json.hpp>
  libpugixml-dev      <pugixml.hpp>
  zlib1g-dev          <zlib.h>
  libzstd-dev         <zstd.h>
  libsqlite3-dev      <sqlite3.h>
  libcpp-httplib-dev  <httplib.h>
'
sekimori_test_packages='
  libgtest-dev        <gtest/gtest.h>
  libgmock-dev        <gmock/gmock.h>
  libbenchmark-dev    <benchmark/benchmark.h>
  python3             python3
  python3-jsonschema  jsonschema
  iproute2            ip
  iputils-ping        ping
  openssh-server      /usr/sbin/sshd
  libvirt-clients     virsh
  etcd-server         etcd
  openvswitch-switch  ovs-vsctl
  qemu-system-x86     qemu-system-x86_64
  qemu-utils          qemu-img
  grub-common         grub-mkimage
  grub-pc-bin         grub-mkimage
  openssl             openssl
  tshark              tshark
  clang-19            clang++-19
  libclang-rt-19-dev  <sanitizer/asan_interface.h>
  clang-format-19     clang-format-19
  clang-tidy-19       clang-tidy-19
'

# Prints the packages of the given lists that are not installed, one a line.
sekimori_missing() {
  local name probe installed=
  if command -v dpkg-query >/dev/null; then
    installed=$(dpkg-query -W -f='${Status}\t${Package}\n' 2>/dev/null |
      sed -n 's/^[a-z]* ok installed\t//p')
  fi
  while read -r name probe; do
    [[ -n $name ]] || continue
    if [[ -n $installed ]]; then
      [[ $'\n'$installed$'\n' == *$'\n'"$name"$'\n'* ]] || echo "$name"
    elif [[ $probe == '<'* ]]; then
      echo "#include $probe" | "${CXX:-g++}" -std=c++20 -x c++ -fsyntax-only - >/dev/null 2>&1 || echo "$name"
    else
      command -v "$probe" >/dev/null || echo "$name"
    fi
  done <<<"$*"
}

# Installs what is missing of the given lists. Where it can't, it says what is missing and returns 3.
sekimori_install() {
  local missing as_root=()
  missing=$(sekimori_missing "$@")
  [[ -n $missing ]] || return 0
  mapfile -t missing <<<"$missing"
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "sekimori: please install (Debian's names): ${missing[*]}" >&2
    return 3
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "sekimori: not root and no sudo; please install: ${missing[*]}" >&2
      return 3
    fi
    as_root=(sudo)
  fi
  echo "sekimori: installing ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -qq </dev/null >&2 || true  # an old list may still do
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >&2 || {
    echo "sekimori: apt-get could not install: ${missing[*]}" >&2
    return 3
  }
}

# How many compilers at once: SEKIMORI_BUILD_JOBS, else one per core, with 1 GiB of memory for each.
sekimori_jobs() {
  local cores memory
  if [[ -n ${SEKIMORI_BUILD_JOBS:-} ]]; then
    echo "$SEKIMORI_BUILD_JOBS"
    return
  fi
  cores=$(nproc 2>/dev/null || echo 2)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo 2>/dev/null)
  memory=${memory:-$cores}
  ((memory < 1)) && memory=1
  echo $((cores < memory ? cores : memory))
}

# Configures build/<preset>, unless that was done, for this very place in the file system. Further arguments
# are passed on to cmake; `sekimori_configure P -DX=ON` may be repeated, cmake only does what changed.
sekimori_configure() {
  local root=$1 preset=$2 fresh=()
  shift 2
  local cache=$root/build/$preset/CMakeCache.txt
  if [[ -f $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
    fresh=(--fresh)  # the tree was moved or copied
  elif [[ -f $root/build/$preset/build.ninja && $# == 0 ]]; then
    return 0
  fi
  (cd "$root" && cmake "${fresh[@]}" --preset "$preset" "$@")
}
