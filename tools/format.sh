#!/usr/bin/env bash
# Formats the C++ sources in place; with --check only says what is not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=(-i)
[[ ${1:-} == --check ]] && mode=(--dry-run -Werror)
folders=()
for folder in src bench tests cmake; do
  [[ -d $folder ]] && folders+=("$folder")
done
find "${folders[@]}" \( -name '*.cc' -o -name '*.h' \) -print0 |
  xargs -0 -r -n 40 -P "$(nproc)" clang-format-19 --style=file "${mode[@]}"
