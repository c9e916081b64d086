#!/usr/bin/env bash
# Runs once, in an empty PostgreSQL: the ledger gets a database and a role that sees nothing of Airflow's.
set -euo pipefail
psql --no-psqlrc --set ON_ERROR_STOP=1 --set password="$LEDGER_PASSWORD" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE mmsearch LOGIN PASSWORD :'password';
CREATE DATABASE mmsearch OWNER mmsearch;
REVOKE CONNECT ON DATABASE mmsearch FROM PUBLIC;
REVOKE CONNECT ON DATABASE :"DBNAME" FROM PUBLIC;
SQL
