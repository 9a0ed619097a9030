#!/usr/bin/env bash
# Installs PostgreSQL and PgBouncer from Debian's packages if necessary (as root), and starts a
# dedicated server in a folder, with its own port and password, and PgBouncer before it.
#   start_postgres.sh FOLDER PORT PASSWORD BOUNCERS_PORT
# Stop them with: FOLDER/stop
set -euo pipefail
# Another script may be installing at the same time.
apt_get() { flock /tmp/convstudy-apt.lock apt-get "$@" >/dev/null; }
folder=$1 port=$2 password=$3 bouncers_port=$4

find_binaries() { dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)"; }
binaries=$(find_binaries)
if [ ! -x "$binaries/initdb" ] || [ ! -x /usr/sbin/pgbouncer ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "PostgreSQL is not installed, and installing it needs root and Debian's packages" >&2
        exit 77
    fi
    # Do not create the package's default server.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    apt_get update -qq
    DEBIAN_FRONTEND=noninteractive apt_get install -y -qq --no-install-recommends postgresql pgbouncer
    binaries=$(find_binaries)
fi

mkdir -p "$folder"
printf '%s\n' "$password" >"$folder/password"
# Twice as many connections as a study has workers, as config/README.md says.
cat >"$folder/bouncer.ini" <<BOUNCER
[databases]
* = host=127.0.0.1 port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $bouncers_port
unix_socket_dir =
auth_type = plain
auth_file = $folder/users
pool_mode = transaction
default_pool_size = 8
logfile = $folder/bouncer.log
pidfile = $folder/bouncer.pid
BOUNCER
printf '"convstudy" "%s"\n' "$password" >"$folder/users"
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
kill \$(cat $folder/bouncer.pid)
exec ${as_user[*]} $binaries/pg_ctl --pgdata=$folder/data --mode=\${1:-fast} --silent stop
STOP
cat >"$folder/start" <<START
#!/bin/sh
${as_user[*]} /usr/sbin/pgbouncer --quiet --daemon $folder/bouncer.ini
exec ${as_user[*]} $binaries/pg_ctl --pgdata=$folder/data --log=$folder/log --wait --silent \\
    --options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start
START
chmod +x "$folder/stop" "$folder/start"
"$folder/start"
