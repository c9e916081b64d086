#!/usr/bin/env bash
# Creates the environment: setup.sh PYTHON VENV. Every way in which it can fail ends in one sentence.
set -euo pipefail
python=$1 venv=$2
here=$(cd "$(dirname "$0")" && pwd)

fail() { echo "setup: $*" >&2; exit 1; }

[ -n "$python" ] || fail "Python is missing: apt install python3 python3-venv."
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
  || fail "$("$python" --version) does not do: install Python 3.11 or 3.12, or name one with make PYTHON=/path/to/python."
"$python" -c 'import ensurepip, venv' 2>/dev/null || fail "Python's venv is missing: apt install python3-venv."
[ "$(df --output=avail -k "$PWD" | tail -1)" -gt 8000000 ] || fail "Less than 8 GB of disk are free here: make room."

echo "setup: installing into $venv (a few minutes the first time)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
mkdir -p build
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint "$here/constraints.txt" --editable ".[media,models,airflow,demo,dev]" >build/setup.log 2>&1 \
  || { tail -5 build/setup.log >&2; fail "pip failed: see build/setup.log, and check that the package index is reachable."; }
"$venv/bin/python" "$here/install_torchvision_hook.py"
