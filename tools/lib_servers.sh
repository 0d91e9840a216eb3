# shellcheck shell=bash
# lib_servers.sh: private PostgreSQL and MariaDB servers, each whole under one directory. Sourced by
# instance.sh.
#
# Both refuse to run as root, so root runs them as RUN_AS (default: postgres); anybody else as
# themselves. PostgreSQL is reached through a socket in a directory that only that user (and root)
# can enter, which is why it asks for no password.

PG_SOCKET_PORT=21432 # no TCP port is opened; this is only part of the socket's name
RUN_AS=${RUN_AS:-postgres}

if [ "$(id -u)" = 0 ]; then
	SERVICE_USER=$RUN_AS
	SERVICE_GROUP=$(id -gn "$RUN_AS" 2>/dev/null || :)
	# --reset-env: with root's HOME, libpq inside the server looks for files it may not read.
	AS=(setpriv "--reuid=$SERVICE_USER" "--regid=$SERVICE_GROUP" --init-groups --reset-env --)
else
	SERVICE_USER=$(id -un)
	SERVICE_GROUP=$(id -gn)
	AS=()
fi

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# Names that need no quoting in any configuration file, URL or shell.
plain_path() {
	case $1 in /*[!A-Za-z0-9/._-]*) return 1 ;; /*) return 0 ;; *) return 1 ;; esac
}

# May the service user get to this directory, or to the nearest one above it that exists?
reachable() {
	local at=$1
	until [ -d "$at" ]; do at=$(dirname "$at"); done
	"${AS[@]}" test -x "$at"
}

socket_fits() { # 107 bytes are all that a socket's path may have
	local path="$1/sock/.s.PGSQL.$PG_SOCKET_PORT"
	[ ${#path} -le 107 ]
}

usable_dir() { plain_path "$1" && socket_fits "$1" && reachable "$1"; }

require_service_user() {
	id "$SERVICE_USER" >/dev/null 2>&1 || die "There is no user $SERVICE_USER yet; run: make deps"
}

# Makes DIR (private to the service user) or refuses one that is somebody else's.
claim_dir() {
	local dir=$1
	require_service_user
	if [ -d "$dir" ] && [ "$(stat -c %U "$dir")" != "$SERVICE_USER" ]; then
		die "$dir belongs to user $(stat -c %U "$dir"): run this as that user, or remove it (make destroy)"
	fi
	usable_dir "$dir" || die "$dir cannot be used: user $SERVICE_USER must reach it, the path must be
plain letters, digits and ._-/ and short enough for a socket (80 bytes or so)."
	if [ ! -e "$dir" ]; then
		mkdir -p "$(dirname "$dir")"
		mkdir -m 0700 "$dir"
		chown "$SERVICE_USER:$SERVICE_GROUP" "$dir"
	fi
	if [ -L "$dir" ] || [ ! -d "$dir" ]; then die "$dir is not a directory of its own"; fi
	[ "$(stat -c %U "$dir")" = "$SERVICE_USER" ] || die "$dir is not $SERVICE_USER's"
}

private_dir() { # NAME...: directories below the current one
	local name
	for name in "$@"; do [ -d "$name" ] || "${AS[@]}" mkdir -p -m 0700 "$name"; done
}

# ---- PostgreSQL ---------------------------------------------------------------

# The newest server of this machine, or the one that made the data of DIR.
pg_find() {
	local made version
	if [ -r "$1/pg/PG_VERSION" ]; then
		read -r made <"$1/pg/PG_VERSION"
		PG_BIN=/usr/lib/postgresql/$made/bin
		[ -x "$PG_BIN/postgres" ] ||
			die "$1 was made by PostgreSQL $made, which is not installed; make destroy begins anew"
	else
		version=$(cd /usr/lib/postgresql 2>/dev/null && printf '%s\n' * | sort -V | tail -1) || :
		PG_BIN=/usr/lib/postgresql/$version/bin
		[ -x "$PG_BIN/initdb" ] || die "PostgreSQL's server is not installed; run: make deps"
	fi
}

pg_running() { [ -f "$1/pg/postmaster.pid" ] && "${AS[@]}" "$PG_BIN/pg_ctl" -s -D "$1/pg" status >/dev/null 2>&1; }

# Into a second name first: a half-made cluster must never look like a whole one.
pg_init() {
	[ ! -f "$1/pg/PG_VERSION" ] || return 0
	rm -rf "$1/pg.new"
	"${AS[@]}" "$PG_BIN/initdb" -D "$1/pg.new" -U postgres --auth-local=trust --auth-host=reject \
		-E UTF8 --locale=C.UTF-8 -N >"$1/log/initdb.log" 2>&1 || {
		cat "$1/log/initdb.log" >&2
		die "initdb failed"
	}
	echo "include 'takings.conf'" | "${AS[@]}" tee -a "$1/pg.new/postgresql.conf" >/dev/null
	mv "$1/pg.new" "$1/pg"
}

# Written at each start: the directory may have moved since.
pg_configure() {
	"${AS[@]}" tee "$1/pg/takings.conf" >/dev/null <<-END
		listen_addresses = ''
		unix_socket_directories = '$1/sock'
		unix_socket_permissions = 0700
		port = $PG_SOCKET_PORT
		cluster_name = 'takings'
		log_line_prefix = '%m [%p] %q%u@%d '
		wal_level = logical # takings-stream follows order_db
		max_slot_wal_keep_size = 1GB
		${SERVER_CONF-}
	END
}

pg_ready() { "$PG_BIN/pg_isready" -q -h "$1/sock" -p "$PG_SOCKET_PORT"; }

# After a crash the dead server may count as alive for a second or two, and the new one recovers
# before it lets anybody in: only an answer counts, and it is tried for a while.
pg_start() { # DIR
	local try
	pg_find "$1"
	if pg_ready "$1"; then return; fi
	(cd "$1" && private_dir sock log)
	pg_init "$1"
	pg_configure "$1"
	for ((try = 0; try < 60; try++)); do
		"${AS[@]}" "$PG_BIN/pg_ctl" -s -D "$1/pg" -w -t 60 -l "$1/log/postgresql.log" start \
			>"$1/log/pg_ctl.log" 2>&1 9>&- || :
		if pg_ready "$1"; then return; fi
		if ((try > 10)) && ! pg_running "$1"; then break; fi
		sleep 0.5
	done
	cat "$1/log/pg_ctl.log" >&2
	tail -n 20 "$1/log/postgresql.log" >&2
	die "PostgreSQL did not start"
}

pg_stop() { # DIR
	local mode
	[ -d "$1/pg" ] || return 0
	pg_find "$1"
	for mode in fast immediate; do
		pg_running "$1" || return 0
		"${AS[@]}" "$PG_BIN/pg_ctl" -s -D "$1/pg" -m $mode -w -t 20 stop >/dev/null 2>&1 || sleep 1
	done
	if pg_running "$1"; then die "PostgreSQL in $1 does not stop"; fi
}

pg_crash() { # DIR: as a power cut would, for tests
	local pid
	[ -f "$1/pg/postmaster.pid" ] || return 0
	read -r pid <"$1/pg/postmaster.pid"
	kill -KILL "$pid"
}

pg_url() { printf 'postgresql://%s@/%s?host=%s&port=%s' "$2" "$3" "$1/sock" "$PG_SOCKET_PORT"; } # DIR USER DATABASE

pg_facts() { # DIR
	printf "export PGHOST='%s' PGPORT='%s' PGUSER='postgres' PGDATABASE='postgres'\n" "$1/sock" "$PG_SOCKET_PORT"
	printf "export PG_URL='%s'\n" "$(pg_url "$1" postgres postgres)"
}

# ---- MariaDB (a test double for shops on MySQL) ---------------------------------

maria_sql() { mariadb --no-defaults --socket="$1/sock/mysql.sock" -u root -N -e "$2"; } # DIR SQL

maria_init() {
	[ ! -d "$1/data" ] || return 0
	rm -rf "$1/data.new"
	"${AS[@]}" mariadb-install-db --no-defaults --datadir="$1/data.new" --skip-test-db \
		--auth-root-authentication-method=normal >"$1/log/install.log" 2>&1 || {
		cat "$1/log/install.log" >&2
		die "mariadb-install-db failed"
	}
	mv "$1/data.new" "$1/data"
}

maria_start() { # DIR PORT
	local daemon=/usr/sbin/mariadbd try
	[ -x "$daemon" ] || die "MariaDB's server is not installed; run: tools/deps.sh test"
	if maria_sql "$1" 'select 1' >/dev/null 2>&1; then return; fi
	(cd "$1" && private_dir sock log)
	maria_init "$1"
	# shellcheck disable=SC2086 # SERVER_OPTIONS is meant to be split
	(cd "$1" && exec "${AS[@]}" setsid "$daemon" --no-defaults --datadir="$1/data" --socket="$1/sock/mysql.sock" \
		--pid-file="$1/mariadb.pid" --log-error="$1/log/mariadb.log" --port="$2" --bind-address=127.0.0.1 \
		--skip-name-resolve ${SERVER_OPTIONS-} </dev/null >/dev/null 2>&1 9>&-) &
	for ((try = 0; try < 150; try++)); do
		if maria_sql "$1" 'select 1' >/dev/null 2>&1; then
			# root has no password, so it may come through the private socket only
			maria_sql "$1" "delete from mysql.global_priv where user = 'root' and host <> 'localhost'; flush privileges"
			return
		fi
		sleep 0.2
	done
	tail -n 20 "$1/log/mariadb.log" >&2
	die "MariaDB did not start"
}

maria_stop() { # DIR
	local pid try
	[ -f "$1/mariadb.pid" ] || return 0
	read -r pid <"$1/mariadb.pid"
	maria_sql "$1" shutdown 2>/dev/null || kill -TERM "$pid" 2>/dev/null || :
	for ((try = 0; try < 100; try++)); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL "$pid"
}

maria_facts() { # DIR PORT
	printf "export MARIADB_SOCKET='%s' MARIADB_PORT='%s'\n" "$1/sock/mysql.sock" "$2"
	printf "export MARIADB_ROOT=%s\n" "'mariadb --no-defaults --socket=$1/sock/mysql.sock -u root'"
}
