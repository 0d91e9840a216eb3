#!/bin/bash
# lib_supervise.sh: keeps nginx, takings-web and takings-stream of a local instance alive and runs the
# batch when it is due. instance.sh copies it to DIR/bin/supervise and starts it in DIR, as the service user, with
# the batch's settings in the environment and WEB_DATABASE_URL for the web program.
#
# SIGUSR1 replaces the web program by a new one without losing a request: the successor takes the socket
# over, then the old one is asked to finish what it has. How that went stands in the file `reloaded`. Then
# the stream makes place for a new one.
# SIGTERM stops all of them. Should it be killed outright, the next start sweeps up what it left.
set -eu

BATCH_INTERVAL_S=${BATCH_INTERVAL_S:-600}
declare -A pid=() started=() fails=() retry_at=()

say() { printf '{"ts":"%(%FT%T%z)T","program":"supervise","message":"%s"}\n' -1 "$*"; }

# Each program gets a process group of its own, so that its children can be found when it is gone.
# The web program never sees how to reach order_db.
start_web() {
	env -u DATABASE_URL -u MIGRATE_DATABASE_URL -u DEMO_DATABASE_URL -u WEB_DATABASE_URL -u ORDER_REPLICATION_URL \
		ANALYTICS_DATABASE_URL="$WEB_DATABASE_URL" WEB_SOCKET="$PWD/web.sock" \
		setsid bin/takings-web >>log/web.log 2>&1 </dev/null &
}

start_stream() {
	env -u DATABASE_URL -u MIGRATE_DATABASE_URL -u DEMO_DATABASE_URL -u WEB_DATABASE_URL \
		STREAM_SOCKET="$PWD/stream.sock" REPORT_DIR="$PWD/reports" SHUTDOWN_TIMEOUT="${SHUTDOWN_TIMEOUT:-5}" \
		setsid bin/takings-stream >>log/stream.log 2>&1 </dev/null &
}

start_nginx() { setsid /usr/sbin/nginx -p "$PWD" -c nginx.conf -e log/nginx.log >>log/nginx.log 2>&1 </dev/null & }

start_batch() { setsid bin/takings-batch run --if-due >>log/batch.log 2>&1 </dev/null & }

alive() { [ -n "${pid[$1]-}" ] && kill -0 "${pid[$1]}" 2>/dev/null; }

launch() {
	"start_$1"
	pid[$1]=$!
	started[$1]=$EPOCHSECONDS
}

# Waits for a program that has ended and sweeps up its group (nginx workers outlive a killed master).
# The code it ended with is in $ended.
bury() {
	ended=0
	wait "${pid[$1]}" 2>/dev/null || ended=$?
	kill -KILL -- "-${pid[$1]}" 2>/dev/null || :
	pid[$1]=
}

# Up again at once, then after 1, 2, 4 ... 10 s as long as it dies young.
keep() {
	local name=$1
	if alive "$name"; then return; fi
	if [ -n "${pid[$name]-}" ]; then
		bury "$name"
		if ((EPOCHSECONDS - started[$name] >= 10)); then fails[$name]=0; fi
		local wait_s=$((fails[$name] == 0 ? 0 : 1 << (fails[$name] - 1)))
		if ((wait_s > 10)); then wait_s=10; fi
		if ((fails[$name] < 5)); then fails[$name]=$((fails[$name] + 1)); fi
		retry_at[$name]=$((EPOCHSECONDS + wait_s))
		say "$name ended with $ended; starting it again in $wait_s s"
	fi
	if ((EPOCHSECONDS >= retry_at[$name])); then launch "$name"; fi
}

batch_when_due() {
	if alive batch; then return; fi
	if [ -n "${pid[batch]-}" ]; then
		bury batch
		case $ended in 0 | 2 | 3) ;; *) say "the batch ended with $ended; see batch.log" ;; esac
	fi
	if ((EPOCHSECONDS >= next_batch)); then
		next_batch=$((EPOCHSECONDS + BATCH_INTERVAL_S))
		launch batch
	fi
}

socket_id() { stat -c '%d:%i' web.sock 2>/dev/null || :; }

# The old program serves until the new one has put its socket in the place of the old one.
reload_web() {
	local before old=${pid[web]-} try
	before=$(socket_id)
	launch web
	for ((try = 0; try < 100; try++)); do
		if [ "$(socket_id)" != "$before" ]; then break; fi
		alive web || break
		nap 0.1
	done
	if [ "$(socket_id)" = "$before" ]; then
		bury web
		pid[web]=$old
		say "the new web program did not start ($ended): the old one goes on; see web.log"
		echo failed >reloaded
		return
	fi
	if [ -n "$old" ]; then
		pid[old]=$old
		stop old
	fi
	say "web is reloaded"
	if [ -n "$streaming" ]; then
		stop stream
		launch stream
	fi
	echo ok >reloaded
}

stop() { # NAME: asks, and after 7 s insists
	local try
	[ -n "${pid[$1]-}" ] || return 0
	kill -TERM "${pid[$1]}" 2>/dev/null || :
	for ((try = 0; try < 70; try++)); do # takings-web and takings-stream take 5 s at most
		alive "$1" || break
		nap 0.1
	done
	if alive "$1"; then kill -KILL "${pid[$1]}"; fi
	bury "$1"
}

exec {never}<> <(:) # a descriptor that is never ready: sleeping without a process
nap() { read -rt "$1" -u "$never" || :; }

reloading=
trap reloading=1 USR1
stopping= # only noted: within a trap bash does not see its children end
trap stopping=1 TERM INT HUP
streaming=
[ "${STREAM:-1}" = 0 ] || streaming=1
for name in nginx web stream; do fails[$name]=0 retry_at[$name]=0; done
next_batch=$((EPOCHSECONDS + BATCH_INTERVAL_S))
say started
while [ -z "$stopping" ]; do
	if [ -n "$reloading" ]; then
		reloading=
		reload_web
	fi
	keep web
	keep nginx
	[ -z "$streaming" ] || keep stream
	batch_when_due
	nap 0.2
done

for name in nginx web stream batch; do stop "$name"; done # nginx first: nothing new comes in
rm -f web.sock stream.sock supervise.pid
say stopped
