#!/bin/bash
# instance.sh: a whole Takings on this machine, under one directory: PostgreSQL (reached through a
# socket only), demo data, the batch, the web program, the stream and nginx on 127.0.0.1.
#
#   run       start, stay in the foreground, stop everything on Ctrl-C
#   up        start in the background                    (make start)
#   down      stop                                       (make stop)
#   reload    a new web program (from BIN_DIR) in place of the running one, losing no request, and a new
#             stream
#   status    what runs; exit code 3 if it does not
#   env       the settings as shell assignments:  eval "$(make -s env)"
#   token     a bearer token of the user `owner`, while it runs
#   destroy   stop, and remove the data
#
# Private servers for tests, each whole under DIR; they print how to reach them as shell assignments:
#
#   pg-start DIR          PostgreSQL, superuser postgres; SERVER_CONF: lines for postgresql.conf
#   pg-stop DIR
#   pg-crash DIR          kill -9 of the server
#   maria-start DIR PORT  MariaDB; root through the socket only; SERVER_OPTIONS: more for mariadbd
#   maria-stop DIR
#
# Environment:
#   PORT          the port of nginx (8087)
#   INSTANCE_DIR  the directory (var/instance of the checkout); with it and PORT tests run an instance
#                 of their own beside another
#   BIN_DIR       where the programs are taken from (build/ of the checkout)
#   RUN_AS        the user that root runs it all as (postgres)
#   DEMO_EVENINGS for how many evenings before the first start forecasts are made as they would have been
#                 then, so that it can be seen what came of them (14)
#   STREAM        0: without takings-stream
#   HOLIDAYS      countries whose public holidays the forecasts know (DE, where the demo plays)
#   LIMIT_LOOPBACK  1: nginx counts the requests of this machine too, and refuses what is too much
#   settings of the programs (docs/CONFIG.md), but for the databases and addresses, which are the
#   instance's own
#
# The checkout's .env is about the site's own orders: here only its PORT counts. (Zone, cutoff and
# currency of a site would not fit the demo data there is.)
#
# Where the service user cannot reach var/, or the path is too long for a socket, the directory is
# one below the system's temporary one; var/location says where it is.
#
# In the directory:  bin/ static/   copies of what runs (the service user may not reach build/)
#                    pg/ sock/      PostgreSQL's data and socket
#                    log/           one file for each program
#                    reports/       what the stream reports every FLUSH_INTERVAL
#                    jwt-secret     signs bearer tokens; made once
#                    owner-password of the user `owner`, an admin; made once
#                    shop-key       public key of the demo shop; made once for a port
#                    lock           held while something starts or stops it
set -eu

HERE=$(cd "$(dirname "$0")/.." && pwd -P)
export LC_ALL=C.UTF-8
for name in ${!PG@}; do unset "$name"; done # the caller's servers are none of ours

# shellcheck source=tools/lib_servers.sh
. "$HERE/tools/lib_servers.sh"

# ---- settings -----------------------------------------------------------------

# Names by which the programs find databases and addresses: the instance has its own. (CURRENCY: an
# alias of DEFAULT_CURRENCY, which is always handed on by its full name.) Its tokens are signed with
# a secret of its own.
OWN_SETTINGS='^(JWT_SECRET.*|DATABASE_URL|ORDER_(REPLICATION|PUBLICATION).*|((ORDER|ANALYTICS)_(DATABASE|DB)|MIGRATE_DATABASE|DEMO_DATABASE|DB)_.*|(SERVER__?)?(HOST|PORT)|WEB_SOCKET|STREAM_SOCKET|REPORT_DIR|PROBE_URL|CURRENCY)$'
own_setting() { [[ $1 =~ $OWN_SETTINGS && $1 != ORDER_DB_TIMEZONE ]]; }

# Prints the value of the last line NAME=VALUE of .env, without quotes or a comment.
dotenv_value() {
	sed -nE "s/^[[:space:]]*(export[[:space:]]+)?$1[[:space:]]*=[[:space:]]*//p" "$HERE/.env" 2>/dev/null | tail -n 1 |
		sed -E "s/[[:space:]]+\$//; s/^\"(.*)\"\$/\1/; t; s/^'(.*)'\$/\1/; t; s/[[:space:]]+#.*//"
}

load_settings() {
	local name
	WANTED_PORT=${PORT:-${SERVER_PORT:-${SERVER__PORT-}}}
	for name in PORT SERVER_PORT SERVER__PORT; do WANTED_PORT=${WANTED_PORT:-$(dotenv_value $name)}; done
	WANTED_PORT=${WANTED_PORT:-8087}
	BUSINESS_TIMEZONE=${BUSINESS_TIMEZONE:-Europe/Berlin}
	BUSINESS_DAY_CUTOFF=${BUSINESS_DAY_CUTOFF:-4}
	DEFAULT_CURRENCY=${DEFAULT_CURRENCY:-${CURRENCY:-EUR}}
	HOLIDAYS=${HOLIDAYS-DE}
	STREAM=${STREAM:-1}
	DEMO_EVENINGS=${DEMO_EVENINGS:-14}
	if [[ ! $DEMO_EVENINGS =~ ^[0-9]{1,2}$ ]]; then die "DEMO_EVENINGS must be a number from 0 to 99, not '$DEMO_EVENINGS'"; fi
	if [[ ! $WANTED_PORT =~ ^[0-9]{4,5}$ ]] || ((WANTED_PORT < 1024 || WANTED_PORT > 65535)); then
		die "PORT must be a number from 1024 to 65535, not '$WANTED_PORT'"
	fi
}

# ---- where ----------------------------------------------------------------------

# Sets DIR; OURS is set where that is the checkout's own instance, not one named by INSTANCE_DIR.
find_dir() {
	local hash base
	hash=$(printf %s "$HERE" | sha256sum | cut -c 1-12)
	OURS=
	if [ -n "${INSTANCE_DIR-}" ]; then
		DIR=$(realpath -m "$INSTANCE_DIR")
		case $DIR in "$HERE/var/instance" | */"takings-$hash") OURS=1 ;; esac
		return
	fi
	OURS=1
	if [ -f "$HERE/var/location" ]; then
		read -r DIR <"$HERE/var/location"
		# A copied checkout brings along the note of the one it was copied from.
		case $DIR in "$HERE/var/instance" | */"takings-$hash") if [ -d "$DIR" ]; then return; fi ;; esac
	fi
	DIR=$HERE/var/instance
	require_service_user
	if usable_dir "$DIR"; then return; fi
	for base in "${TMPDIR:-/tmp}" /tmp; do
		DIR=$(realpath -m "$base")/takings-$hash
		if usable_dir "$DIR"; then return; fi
	done
	die "found no directory that user $SERVICE_USER can use; set INSTANCE_DIR"
}

note_location() {
	[ -n "$OURS" ] || return 0
	mkdir -p "$HERE/var" || die "cannot write to $HERE; set INSTANCE_DIR to a directory of yours"
	printf '%s\n' "$DIR" >"$HERE/var/location"
}

lock() {
	exec 9>"$DIR/lock"
	flock -w 300 9 || die "another start or stop of $DIR is still under way"
}

unlock() { exec 9>&-; }

# ---- what runs -------------------------------------------------------------------

# Processes of this instance besides PostgreSQL: they work in its directory and have these names.
instance_pids() {
	local proc name
	for proc in /proc/[0-9]*; do
		[ "$proc/cwd" -ef "$DIR" ] || continue
		read -r name 2>/dev/null <"$proc/comm" || continue
		case $name in supervise | takings-web | takings-batch | takings-stream | nginx) echo "${proc#/proc/}" ;; esac
	done
}

# Sets SUPERVISOR. No $(...) here: a signal that comes just then would be handled in that subshell.
running() {
	SUPERVISOR=
	[ -r "$DIR/supervise.pid" ] && read -r SUPERVISOR <"$DIR/supervise.pid" && [ "/proc/$SUPERVISOR/cwd" -ef "$DIR" ]
}

# The port it listens on while it runs, else the one it would get.
current_port() {
	if running && [ -r "$DIR/port" ]; then cat "$DIR/port"; else echo "$WANTED_PORT"; fi
}

base_url() { echo "http://127.0.0.1:$(current_port)"; }

port_taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ---- starting ---------------------------------------------------------------------

CHILD=
# step LOG COMMAND...: runs a long command so that a signal reaches us at once and on_signal can end it.
step() {
	local rc=0 log=$1
	shift
	"$@" >>"$log" 2>&1 </dev/null 9>&- &
	CHILD=$!
	wait "$CHILD" || rc=$?
	CHILD=
	return "$rc"
}

size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# What was written to LOG after it had SIZE bytes: the last 20 lines.
tail_since() { tail -c "+$(($2 + 1))" "$1" 2>/dev/null | tail -n 20; } # LOG SIZE

copy_program() { # FROM TO
	cp "$1" "$2.new"
	chmod 0755 "$2.new"
	mv "$2.new" "$2"
}

# The service user's copies of what runs. Where something runs already, each file changes at once.
copy_programs() {
	local bin=${BIN_DIR:-$HERE/build} name
	private_dir bin log tmp
	for name in takings-web takings-batch takings-stream; do
		if [ -f "$bin/$name" ]; then copy_program "$bin/$name" "bin/$name"; fi
	done
	copy_program "$HERE/tools/lib_supervise.sh" bin/supervise
	if [ ! -e bin/takings-web ] || [ ! -e bin/takings-batch ] || { [ "${STREAM:-1}" != 0 ] && [ ! -e bin/takings-stream ]; }; then die "there are no programs in $bin; run: make build"; fi
	rm -rf static.new
	cp -R "$HERE/static" static.new
	chmod -R u=rwX,go=rX static.new
	[ "$(id -u)" != 0 ] || chown -R "$SERVICE_USER:$SERVICE_GROUP" bin static.new log tmp
	if [ ! -e static ]; then
		mv static.new static
		return
	fi
	(umask 022 && cd static.new && find . -type d -exec mkdir -p ../static/{} \; -o -type f -exec mv -f {} ../static/{} \;)
	[ "$(id -u)" != 0 ] || chown -R "$SERVICE_USER:$SERVICE_GROUP" static
	rm -rf static.new
}

copy_files() {
	rm -rf static
	copy_programs
	"${AS[@]}" test -x bin/takings-web || die "$DIR is on a file system that runs no programs; set INSTANCE_DIR"
	sed -e "s|@DIR@|$DIR|g" -e "s|@PORT@|$PORT|g" -e "s|@LIMIT_LOOPBACK@|$((${LIMIT_LOOPBACK:-0} != 0))|" \
		"$HERE/nginx/local.conf.in" >nginx.conf
	private_dir takings
	cp "$HERE"/nginx/*.conf takings/
	chmod 644 takings/*.conf
	rm -f .env # the programs read one of the directory they run in
	[ "$(id -u)" != 0 ] || chown -R "$SERVICE_USER:$SERVICE_GROUP" takings nginx.conf
}

# Kept small without a log rotation: this is a development instance.
trim_logs() {
	local log
	for log in log/*.log; do
		if [ -f "$log" ] && [ "$(stat -c %s "$log")" -gt 10000000 ]; then mv "$log" "$log.1"; fi
	done
}

# From here on what is started finds the instance, whatever the caller's shell had set.
export_settings() {
	local name
	while IFS= read -r name; do
		if own_setting "$name"; then unset "$name"; fi
	done < <(compgen -e)
	export DATABASE_URL ANALYTICS_DATABASE_URL MIGRATE_DATABASE_URL DEMO_DATABASE_URL WEB_DATABASE_URL ORDER_REPLICATION_URL PORT JWT_SECRET_FILE
	PORT=$WANTED_PORT
	DATABASE_URL=$(pg_url "$DIR" order_ro order_db)
	ANALYTICS_DATABASE_URL=$(pg_url "$DIR" analytics_rw analytics_db)
	MIGRATE_DATABASE_URL=$(pg_url "$DIR" analytics_owner analytics_db)
	DEMO_DATABASE_URL=$(pg_url "$DIR" order_owner order_db)
	WEB_DATABASE_URL=$(pg_url "$DIR" analytics_web analytics_db)
	ORDER_REPLICATION_URL=
	[ "$STREAM" = 0 ] || ORDER_REPLICATION_URL=$(pg_url "$DIR" order_stream order_db)
	JWT_SECRET_FILE=$DIR/jwt-secret
	export PROBE_URL="http://127.0.0.1:$WANTED_PORT/health/ready"
	export STREAM BUSINESS_TIMEZONE BUSINESS_DAY_CUTOFF DEFAULT_CURRENCY HOLIDAYS
	APP=()
	[ "$(id -u)" != 0 ] || APP=(env -u XDG_RUNTIME_DIR HOME="$DIR" USER="$SERVICE_USER" LOGNAME="$SERVICE_USER" SHELL=/bin/sh
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		setpriv "--reuid=$SERVICE_USER" "--regid=$SERVICE_GROUP" --init-groups --)
}

sql() { "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }

# psql reads the files as the caller, who can reach the checkout. A first load of the demo that was
# cut off begins again from nothing: the mark is set when the data is whole.
make_databases() {
	local admin
	admin=$(pg_url "$DIR" postgres postgres)
	[ -e demo-done ] || sql -c 'drop database if exists order_db with (force)' "$admin" 2>>log/setup.log
	sql -v local=1 -f "$HERE/sql/roles.sql" "$admin" >>log/setup.log
}

batch() {
	local rc=0 before
	before=$(size_of log/batch.log)
	step log/batch.log "${APP[@]}" bin/takings-batch "$@" || rc=$?
	case $rc in
	0 | 2 | 3) ;; # done, nothing to do, another one is at it
	*)
		tail_since log/batch.log "$before" >&2
		die "takings-batch $1 failed with $rc; see $DIR/log/batch.log"
		;;
	esac
}

FIRST_LOAD=
load_demo() {
	if [ -e demo-done ]; then
		batch demo --seed 1 --continue
		return
	fi
	say "loading demo data (once)"
	batch demo --seed 1 --truth "$DIR/demo-truth.json"
	FIRST_LOAD=1
}

day_of() { date -u -d "$1 $2 days" +%F; } # DAY +-N

# Events and bookings of them, for the stream to read; those of the days since the last start, too.
load_bookings() {
	[ "$STREAM" != 0 ] || return 0
	batch demo --bookings
}

# A shop to try tracking with, at /demo-shop/, with a public key of this address.
make_shop() {
	local origin=http://127.0.0.1:$PORT key
	[ "$STREAM" != 0 ] || return 0
	if ! grep -qsF "$origin " shop-key; then
		step shop-key.new "${APP[@]}" bin/takings-batch key add "demo shop, port $PORT" --scope ingest --origin "$origin" --origin "http://localhost:$PORT" ||
			die "could not make a key for the demo shop; see $DIR/shop-key.new"
		printf '%s %s\n' "$origin" "$(grep -o 'tk_[A-Za-z0-9_-]*' shop-key.new | head -n 1)" >shop-key
		rm -f shop-key.new
	fi
	key=$(cut -d ' ' -f 2 shop-key)
	private_dir demo-shop
	cp "$HERE"/nginx/demo-shop/* demo-shop/
	sed "s/@KEY@/$key/" "$HERE/nginx/demo-shop/index.html" >demo-shop/index.html
	chmod 644 demo-shop/*
	[ "$(id -u)" != 0 ] || chown -R "$SERVICE_USER:$SERVICE_GROUP" demo-shop
}

# Visits to its site, likewise.
load_activity() {
	[ "$STREAM" != 0 ] || return 0
	batch demo --activity
}

# What the owner of the demo has told the forecasts: days of the house, beside the public holidays.
# They are those of batch/demo_calendar.c.
tell_days() { # FIRST_YEAR LAST_YEAR
	local year august
	for ((year = $1; year <= $2; year++)); do
		august=$year-08-01
		august=$year-08-0$((1 + (8 - $(date -u -d "$august" +%u)) % 7))
		batch holiday add "$august" 'Summer holiday' --until "$(day_of "$august" +9)"
		batch holiday add "$year-02-14" "Valentine's Day"
		batch holiday add "$year-12-24" 'Christmas Eve'
		batch holiday add "$year-12-31" "New Year's Eve"
	done
}

# Evening by evening, so that each forecast knows the days up to its own and nothing after it.
play_evenings() { # FIRST_DAY TODAY
	local back=$DEMO_EVENINGS
	((back > 0)) || return 0
	say "making the forecasts of the last $back evenings, to see what came of them (once)"
	batch run --from "$1" --to "$(day_of "$2" "-$((back + 1))")"
	for (( ; back > 0; back--)); do batch run --date "$(day_of "$2" "-$back")"; done
}

# A new demo gets a past: what its owner knew, and what was forecast.
make_past() {
	local from until
	from=$(grep -o '"from":"[0-9-]*"' demo-truth.json | head -n 1 | cut -d '"' -f 4)
	until=$(grep -o '"until":"[0-9-]*"' demo-truth.json | head -n 1 | cut -d '"' -f 4)
	if [ -n "$HOLIDAYS" ]; then tell_days "${from%%-*}" "$((${until%%-*} + 1))"; fi
	play_evenings "$from" "$until"
}

# A file of the service user's alone; whole or not there at all.
secret_file() { # NAME BYTES
	rm -f "$1.new"
	(umask 077 && head -c "$2" /dev/urandom | base64 -w 0 | tr '+/' '-_' >"$1.new")
	[ "$(id -u)" != 0 ] || chown "$SERVICE_USER:$SERVICE_GROUP" "$1.new"
}

make_secret() {
	[ ! -s jwt-secret ] || return 0
	secret_file jwt-secret 48
	mv jwt-secret.new jwt-secret
}

# The first user. A start that was cut off in between may have made it with a password nobody knows.
make_owner() {
	[ ! -s owner-password ] || return 0
	secret_file owner-password 18
	"${APP[@]}" bin/takings-batch user add owner --role admin <owner-password.new >>log/setup.log 2>&1 9>&- ||
		"${APP[@]}" bin/takings-batch user password owner <owner-password.new >>log/setup.log 2>&1 9>&- ||
		die "could not make the user owner; see $DIR/log/setup.log"
	mv owner-password.new owner-password
}

load_data() {
	make_databases
	batch migrate
	make_owner
	make_shop
	load_demo
	load_bookings
	load_activity
	sql -f "$HERE/sql/order_db/grants.sql" "$DEMO_DATABASE_URL" >>log/setup.log
	if [ "$STREAM" != 0 ]; then sql -f "$HERE/sql/order_db/replication.sql" "$(pg_url "$DIR" postgres order_db)" >>log/setup.log 2>&1; fi
	if [ -n "$FIRST_LOAD" ]; then
		make_past
		: >demo-done
	fi
	say "running the batch"
	batch run
}

start_supervisor() {
	local name
	declare -A before
	for name in supervise nginx web stream; do before[$name]=$(size_of "log/$name.log"); done
	"${APP[@]}" setsid bin/supervise >>log/supervise.log 2>&1 </dev/null 9>&- &
	echo $! >supervise.pid
	disown
	echo "$PORT" >port
	step log/setup.log wait_for_health || {
		for name in "${!before[@]}"; do tail_since "log/$name.log" "${before[$name]}" >&2; done
		die "it does not answer at $(base_url)/health; see $DIR/log"
	}
}

wait_for_health() {
	local try
	for ((try = 0; try < 100; try++)); do
		if curl -sf --noproxy '*' -m 2 -o /dev/null "http://127.0.0.1:$PORT/health"; then return; fi
		sleep 0.1
	done
	return 1
}

say() { printf '%s\n' "$*"; }

start() {
	sweep # what a crash may have left
	if port_taken "$WANTED_PORT"; then
		die "Port $WANTED_PORT is taken by another program. Choose another: make start PORT=$((WANTED_PORT + 1))"
	fi
	cd "$DIR"
	export_settings
	copy_files
	make_secret
	trim_logs
	pg_start "$DIR"
	load_data
	start_supervisor
}

# ---- stopping ----------------------------------------------------------------------

# Ends whatever of the instance is left besides PostgreSQL. The supervisor ends its own children in
# order, so they are only ours to end where it is dead, or does not answer for 10 s.
sweep() {
	local pids try signal
	for ((try = 0; try < 150; try++)); do
		pids=$(instance_pids)
		[ -n "$pids" ] || return 0
		signal=TERM
		((try % 100 < 50)) || signal=KILL
		if running && ((try < 100)); then
			((try % 20)) || kill -TERM "$SUPERVISOR" 2>/dev/null || :
		elif ((try % 10 == 0)); then
			# shellcheck disable=SC2086 # a list of numbers
			kill -$signal $pids 2>/dev/null || :
		fi
		sleep 0.1
	done
}

stop() {
	sweep
	rm -f "$DIR/web.sock" "$DIR/stream.sock" "$DIR/supervise.pid" "$DIR/nginx.pid" "$DIR/port"
	pg_stop "$DIR"
}

# Ctrl-C and its like. What is not ours (another one's start, for which we wait) is left alone.
on_signal() { # CODE
	trap '' INT TERM HUP
	trap - EXIT
	[ -n "$OWNER" ] || exit "$1"
	set +e
	say
	say "stopping ..."
	if [ -n "$CHILD" ]; then
		kill -TERM "$CHILD" 2>/dev/null
		wait "$CHILD" 2>/dev/null
	fi
	[ "$OWNER" = starting ] || lock
	stop
	say "stopped"
	[ "$OWNER" = starting ] || exit 0
	exit "$1"
}

# ---- commands -----------------------------------------------------------------------

# Of the one user there is at first; its password can be changed like any other, and then it is not this.
login() {
	if [ -r "$DIR/owner-password" ]; then printf 'owner, password %s' "$(cat "$DIR/owner-password")"; fi
}

print_facts() {
	local url shop=
	url=$(base_url)
	[ "$STREAM" = 0 ] || shop="$url/demo-shop/ (what is done there is tracked: $url/admin/live)"
	cat <<-END

		Takings:   $url/admin/
		Login:     $(login)
		Try:       curl $url/health
		           curl -H "Authorization: Bearer \$(make -s token)" $url/api/admin/analytics/summary
		           curl -H "Authorization: Bearer \$(make -s token)" $url/api/admin/analytics/top-items
		           curl -H "Authorization: Bearer \$(make -s token)" $url/api/admin/analytics/hourly
		${shop:+Shop:      $shop
		}Settings:  eval "\$(make -s env)"
		Files:     $DIR (log/ has one file for each program)
	END
}

OWNER= # `starting` while this process holds the lock to start, `foreground` in `run`

# If starting fails half-way, nothing is left running. (Never call it in a condition: that would
# switch off `set -e` inside.)
cmd_up() {
	load_settings
	find_dir
	claim_dir "$DIR"
	note_location
	trap 'on_signal 130' INT
	trap 'on_signal 143' TERM
	trap 'on_signal 129' HUP
	lock
	if running; then
		pg_start "$DIR" # in case the server alone was killed
		say "Already running at $(base_url)/admin/ (make stop ends it)"
		say "Login:     $(login)"
		exit 0
	fi
	OWNER=starting
	trap 'trap "" INT TERM HUP; set +e; stop' EXIT
	say "Starting Takings in $DIR"
	start
	trap - EXIT
	print_facts
}

cmd_run() {
	cmd_up
	OWNER=foreground
	unlock
	say "           Ctrl-C stops it."
	while running; do step /dev/null sleep 1; done
	# Another terminal's `make stop`, or a crash: either way nothing may stay behind.
	OWNER=
	lock
	pg_find "$DIR"
	if pg_running "$DIR"; then
		stop
		die "The supervisor has died; everything is stopped. See $DIR/log/supervise.log"
	fi
	say "stopped"
}

cmd_down() {
	load_settings
	find_dir
	if [ ! -d "$DIR" ]; then
		say "not running"
		return
	fi
	claim_dir "$DIR"
	lock
	local was=no
	if running; then was=yes; fi
	stop
	if [ $was = yes ]; then say stopped; else say "not running"; fi
}

cmd_reload() {
	local try
	load_settings
	find_dir
	if [ ! -d "$DIR" ]; then die "not running; make start starts it"; fi
	claim_dir "$DIR"
	lock
	running || die "not running; make start starts it"
	cd "$DIR"
	copy_programs
	rm -f reloaded
	kill -USR1 "$SUPERVISOR"
	for ((try = 0; try < 300; try++)); do
		[ ! -s reloaded ] || break
		sleep 0.1
	done
	[ "$(cat reloaded 2>/dev/null)" = ok ] || die "the new web program did not start, the old one goes on; see $DIR/log/web.log"
	say "reloaded"
}

cmd_status() {
	load_settings
	find_dir
	[ ! -d "$DIR" ] || claim_dir "$DIR"
	if ! running; then
		say "not running ($DIR)"
		exit 3
	fi
	pg_find "$DIR"
	local pid name database=down
	if pg_running "$DIR"; then database=up; fi
	say "running at $(base_url)/admin/"
	say "login       $(login)"
	say "directory   $DIR"
	say "PostgreSQL  $database"
	for pid in $(instance_pids); do
		read -r name 2>/dev/null <"/proc/$pid/comm" || continue
		printf '%-14s pid %s\n' "$name" "$pid"
	done
	say "health      $(curl -s --noproxy '*' -m 5 -o /dev/null -w '%{http_code}' "$(base_url)/health")"
}

cmd_token() {
	load_settings
	find_dir
	if [ ! -d "$DIR" ]; then die "not running; make start starts it"; fi
	claim_dir "$DIR"
	running || die "not running; make start starts it"
	WANTED_PORT=$(current_port)
	cd "$DIR"
	export_settings
	exec "${APP[@]}" bin/takings-batch user token owner
}

quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

cmd_env() {
	load_settings
	find_dir
	local name
	WANTED_PORT=$(current_port)
	export_settings
	# shellcheck disable=SC2034 # printed by name
	INSTANCE_DIR=$DIR BASE_URL=http://127.0.0.1:$PORT ANALYTICS_WEB_DATABASE_URL=$WEB_DATABASE_URL
	# shellcheck disable=SC2034
	ANALYTICS_RO_DATABASE_URL=$(pg_url "$DIR" analytics_ro analytics_db)
	for name in INSTANCE_DIR PORT BASE_URL DATABASE_URL ANALYTICS_DATABASE_URL ANALYTICS_WEB_DATABASE_URL \
		ANALYTICS_RO_DATABASE_URL MIGRATE_DATABASE_URL DEMO_DATABASE_URL ORDER_REPLICATION_URL JWT_SECRET_FILE BUSINESS_TIMEZONE BUSINESS_DAY_CUTOFF DEFAULT_CURRENCY HOLIDAYS; do
		printf 'export %s=%s\n' "$name" "$(quoted "${!name}")"
	done
}

cmd_destroy() {
	load_settings
	find_dir
	if [ -d "$DIR" ]; then
		claim_dir "$DIR"
		if [ ! -e "$DIR/lock" ] && [ -n "$(ls -A "$DIR")" ]; then die "$DIR is not an instance; nothing removed"; fi
		lock
		stop
		cd /
		rm -rf "$DIR"
	fi
	[ -z "$OURS" ] || rm -rf "${HERE:?}/var"
	say "removed $DIR"
}

need() { [ $# -gt 1 ] || die "$1 needs a directory; see the head of this file"; }

# DIR of the private servers, made if it does not exist.
server_dir() {
	need "$@"
	DIR=$(realpath -m "$2")
	claim_dir "$DIR"
	cd "$DIR"
}

case ${1-} in
run) cmd_run ;;
up) cmd_up ;;
down) cmd_down ;;
reload) cmd_reload ;;
status) cmd_status ;;
env) cmd_env ;;
token) cmd_token ;;
destroy) cmd_destroy ;;
pg-start)
	server_dir "$@"
	pg_start "$DIR"
	pg_facts "$DIR"
	;;
pg-stop)
	server_dir "$@"
	pg_stop "$DIR"
	;;
pg-crash)
	server_dir "$@"
	pg_crash "$DIR"
	;;
maria-start)
	[ $# -eq 3 ] || die "maria-start needs DIR and PORT"
	server_dir "$@"
	maria_start "$DIR" "$3"
	maria_facts "$DIR" "$3"
	;;
maria-stop)
	server_dir "$@"
	maria_stop "$DIR"
	;;
*) die "usage: instance.sh run | up | down | reload | status | env | token | destroy | pg-start DIR | pg-stop DIR | pg-crash DIR |
       maria-start DIR PORT | maria-stop DIR" ;;
esac
