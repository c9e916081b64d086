#!/usr/bin/env bash
# Builds the two wheels into a folder: build_wheels.sh PYTHON FOLDER. mmsearch is what servers install; mmsearch-demo holds
# the demo and the small models (18 MB).
set -euo pipefail
python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { "$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$out" "$1"; }

mkdir -p "$work/server" "$work/demo/mmsearch_core"
cp -r "$root/pyproject.toml" "$root/README.md" "$root/LICENSE" "$root/mmsearch_core" "$root/tasks" "$work/server"
cp "$root/docker/demo-package/pyproject.toml" "$work/demo"
cp -r "$root/mmsearch_core/demo" "$root/mmsearch_core/models" "$work/demo/mmsearch_core"
build "$work/server"
build "$work/demo"
