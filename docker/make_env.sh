#!/usr/bin/env bash
# Writes .env from .env.example, with a random value for every secret: make_env.sh [FILE]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
file=${1:-$here/.env}

fail() { echo "make_env: $*" >&2; exit 1; }

random() { head -c "$1" /dev/urandom; }

[ ! -e "$file" ] || fail "$file is there, and its secrets may be in use: move it away first."
umask 077
while IFS= read -r line; do
  case $line in
    AIRFLOW_FERNET_KEY=) printf '%s%s\n' "$line" "$(random 32 | base64 --wrap=0 | tr '+/' '-_')" ;;
    [A-Z]*=) printf '%s%s\n' "$line" "$(random 24 | od -An -vtx1 | tr -d ' \n')" ;; # hex: safe inside a URL
    *) printf '%s\n' "$line" ;;
  esac
done <"$here/.env.example" >"$file.new"
mv --no-clobber "$file.new" "$file"
echo "make_env: wrote $file; look through its other settings"
