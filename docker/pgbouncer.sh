#!/bin/sh
# Write PgBouncer's configuration from the environment and run it in the foreground.
#   DATABASE_HOST, DATABASE_PORT  the PostgreSQL server
#   DATABASE_APP_PASSWORD         the app role's password; DATABASE_APP_PASSWORD_FILE may name a file instead
set -eu
umask 077

if [ -n "${DATABASE_APP_PASSWORD_FILE:-}" ]; then
    DATABASE_APP_PASSWORD=$(cat "$DATABASE_APP_PASSWORD_FILE")
fi
: "${DATABASE_APP_PASSWORD:?is the password of opsadmin_app}"

directory=${PGBOUNCER_DIRECTORY:-/tmp/pgbouncer}
mkdir -p "$directory"

# A quote within a quoted string is doubled.
quoted=$(printf %s "$DATABASE_APP_PASSWORD" | sed 's/"/""/g')
printf '"opsadmin_app" "%s"\n' "$quoted" > "$directory/userlist.txt"

cat > "$directory/pgbouncer.ini" <<END
[databases]
* = host=${DATABASE_HOST:-postgres} port=${DATABASE_PORT:-5432}

[pgbouncer]
listen_addr = ${PGBOUNCER_ADDRESS:-0.0.0.0}
listen_port = ${PGBOUNCER_PORT:-6432}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $directory/userlist.txt
pool_mode = transaction
default_pool_size = ${POOL_SIZE:-20}
max_client_conn = ${MAX_CLIENTS:-500}
# A client that waits this long for a connection gets an error instead of hanging.
query_wait_timeout = 30
server_idle_timeout = 300
log_connections = 0
log_disconnections = 0
END
exec pgbouncer "$directory/pgbouncer.ini"
