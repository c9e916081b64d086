#!/usr/bin/env bash
# Prepares Airflow's database: tables, the first administrator, the pools. Safe to repeat; init.sh POOLS.
set -euo pipefail

fail() { echo "init: $*" >&2; exit 78; }

pools=${1:-}
[ -f "$pools" ] || fail "There is no file of pools at '$pools': give its path."
for name in AIRFLOW_ADMIN_USER AIRFLOW_ADMIN_PASSWORD; do
  [ -n "${!name:-}" ] || fail "$name is empty: set it in .env, or let docker/make_env.sh write one."
done

airflow db migrate
# Says so, and changes nothing, when the name is taken
airflow users create --role Admin --username "$AIRFLOW_ADMIN_USER" --password "$AIRFLOW_ADMIN_PASSWORD" \
  --firstname mmsearch --lastname administrator --email "$AIRFLOW_ADMIN_USER@localhost"
airflow pools import "$pools"
