#!/usr/bin/env bash
# Installs PostgreSQL from Debian's packages if necessary (as root), and starts a dedicated server
# in a folder, with its own port and password.
#   start_postgres.sh FOLDER PORT PASSWORD
# Stop it with: FOLDER/stop
set -euo pipefail
# Another script may be installing at the same time.
apt_get() { flock /tmp/convstudy-apt.lock apt-get "$@" >/dev/null; }
folder=$1 port=$2 password=$3

find_binaries() { dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)"; }
binaries=$(find_binaries)
if [ ! -x "$binaries/initdb" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "PostgreSQL is not installed, and installing it needs root and Debian's packages" >&2
        exit 77
    fi
    # Do not create the package's default server.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt_get update -qq
    DEBIAN_FRONTEND=noninteractive apt_get install -y -qq --no-install-recommends postgresql
    binaries=$(find_binaries)
fi

mkdir -p "$folder"
printf '%s\n' "$password" >"$folder/password"
# The server refuses to run as root.
as_user=()
if [ "$(id -u)" = 0 ]; then
    chown -R postgres: "$folder"
    chmod 711 "$folder"
    as_user=(runuser -u postgres --)
fi
cd /
"${as_user[@]}" "$binaries/initdb" --pgdata="$folder/data" --username=convstudy \
    --pwfile="$folder/password" --auth=scram-sha-256 >"$folder/initdb.log"
rm "$folder/password"
cat >"$folder/stop" <<STOP
#!/bin/sh
exec ${as_user[*]} $binaries/pg_ctl --pgdata=$folder/data --mode=\${1:-fast} --silent stop
STOP
cat >"$folder/start" <<START
#!/bin/sh
exec ${as_user[*]} $binaries/pg_ctl --pgdata=$folder/data --log=$folder/log --wait --silent \\
    --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start
START
chmod +x "$folder/stop" "$folder/start"
"$folder/start"
