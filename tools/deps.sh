#!/bin/bash
# deps.sh GROUP...: installs the Debian packages of these groups that are missing.
#
#   build   what the makefile compiles and links with
#   run     the servers of the local instance, and npm for the files of the pages
#   test    what the tests need besides
#   lint    the checkers of the source
#   bench   what the benchmarks compare with
#
# Nothing missing: one question to dpkg, and done. Otherwise apt-get, as root or through sudo; what it
# says goes to a log, which is shown where it fails. The packages start no service and make no PostgreSQL cluster, and the machine's settings for both are
# put back as they were, after a failure or Ctrl-C too.
set -eu

POLICY=/usr/sbin/policy-rc.d
KEPT_POLICY=$POLICY.before-takings
CLUSTER_DIR=/etc/postgresql-common
CLUSTER_CONF=$CLUSTER_DIR/createcluster.conf
CLUSTER_DROP=$CLUSTER_DIR/createcluster.d/zz-takings.conf
KEPT_CONF=$CLUSTER_CONF.before-takings
MARK='# temporary, by tools/deps.sh of Takings'
DIR_TOO=' (and so is this directory)'

die() {
	printf 'deps: %s\n' "$*" >&2
	exit 1
}

packages_of() {
	case $1 in
	build)
		echo gcc make pkgconf libc6-dev libpq-dev libjansson-dev libfcgi-dev libmariadb-dev libjwt-dev libsodium-dev
		echo librdkafka-dev libwebsockets-dev libcurl4-openssl-dev libhiredis-dev ;;
	run)
		echo ca-certificates curl tzdata util-linux nginx
		# Any PostgreSQL will do, and any Node: Debian's only where there is none.
		compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
		command -v node >/dev/null || echo nodejs
		command -v npm >/dev/null || echo npm
		;;
	test)
		packages_of run
		echo libcmocka-dev mariadb-server-core mariadb-client-core chromium python3 openssl redis-server libnginx-mod-stream
		;;
	lint) echo clang clang-format clang-tidy libclang-rt-14-dev ;;
	bench)
		echo python3-sqlalchemy python3-psycopg2 wrk python3-fastapi python3-uvicorn python3-uvloop python3-httptools
		echo python3-asyncpg python3-ujson python3-kafka python3-lz4
		echo r-base-core r-cran-forecast r-cran-prophet
		;;
	*) die "no such group: $1 (build, run, test, lint, bench)" ;;
	esac
}

missing_of() {
	local installed nl=$'\n'
	installed=$nl$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || :)$nl
	printf '%s\n' "$@" | sort -u | while read -r name; do
		case "$installed" in *"$nl$name installed$nl"*) ;; *) echo "$name" ;; esac
	done
}

# ---- the part that runs as root -----------------------------------------------

# invoke-rc.d asks policy-rc.d; 101 says "not now". One that is there already is set aside whole.
hold_services() {
	if [ -e "$POLICY" ] || [ -L "$POLICY" ]; then mv "$POLICY" "$KEPT_POLICY"; fi
	printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >"$POLICY"
	chmod 755 "$POLICY"
}

# A drop-in, because createcluster.conf itself comes with the packages and must arrive untouched. Only
# a file that does not read the drop-ins is changed, and put back.
hold_cluster() {
	local mark=$MARK
	[ -d "${CLUSTER_DROP%/*}" ] || mark="$MARK$DIR_TOO"
	mkdir -p "${CLUSTER_DROP%/*}"
	printf '%s\ncreate_main_cluster = false\n' "$mark" >"$CLUSTER_DROP"
	if [ -f "$CLUSTER_CONF" ] && ! grep -q '^include_dir' "$CLUSTER_CONF"; then
		cp -p "$CLUSTER_CONF" "$KEPT_CONF"
		printf 'create_main_cluster = false\n' >>"$CLUSTER_CONF"
	fi
}

put_back() {
	if [ -f "$POLICY" ] && grep -qxF "$MARK" "$POLICY"; then rm -f "$POLICY"; fi
	if [ -e "$KEPT_POLICY" ] || [ -L "$KEPT_POLICY" ]; then mv "$KEPT_POLICY" "$POLICY"; fi
	if grep -qsF "$DIR_TOO" "$CLUSTER_DROP"; then
		rm -f "$CLUSTER_DROP"
		rmdir -p "${CLUSTER_DROP%/*}" 2>/dev/null || : # only what is empty
	fi
	rm -f "$CLUSTER_DROP"
	if [ -f "$KEPT_CONF" ]; then mv "$KEPT_CONF" "$CLUSTER_CONF"; fi
	# Its start was only put off: Debian's nginx would come up on port 80 at the next boot.
	if [ -n "${new_nginx-}" ] && [ -x /usr/sbin/nginx ]; then update-rc.d nginx disable >/dev/null 2>&1 || :; fi
}

apt_get() {
	env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
		"$@" </dev/null
}

# A line on the terminal, the rest in the log.
phase() { # WHAT COMMAND...
	printf '  %s ...\n' "$1"
	shift
	"$@" >>"$LOG" 2>&1
}

done_as_root() {
	local rc=$?
	put_back
	if [ $rc != 0 ]; then
		tail -n 40 "$LOG" >&2
		printf 'deps: failed; everything it said is in %s\n' "$LOG" >&2
	else
		rm -f "$LOG"
	fi
	exit $rc
}

repair() { DEBIAN_FRONTEND=noninteractive dpkg --configure -a </dev/null || apt_get install -y -f; }

install_as_root() {
	LOG=$(mktemp /tmp/takings-deps.XXXXXX)
	put_back # what an earlier run that was killed left behind
	trap done_as_root EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	case " $* " in *' nginx '*) new_nginx=1 ;; esac
	hold_services
	hold_cluster
	phase 'updating the package lists' apt_get update ||
		echo 'deps: apt-get update had errors; going on with the lists there are' >&2
	if [ -n "$(dpkg --audit)" ]; then # an earlier installation was cut off
		phase 'finishing an earlier installation' repair
	fi
	phase 'downloading' apt_get install -y --no-install-recommends --download-only "$@"
	phase 'installing' apt_get install -y --no-install-recommends "$@"
}

# ---- main ---------------------------------------------------------------------

if [ "${1-}" = --as-root ]; then
	shift
	install_as_root "$@"
	exit
fi

[ $# -gt 0 ] || die 'which groups? (build, run, test, lint, bench)'
command -v dpkg-query >/dev/null || die 'this is not a Debian system; see the package names in this file'
wanted=()
for group in "$@"; do
	names=$(packages_of "$group")
	read -ra more <<<"${names//$'\n'/ }"
	wanted+=("${more[@]}")
done
names=$(missing_of "${wanted[@]}")
[ -n "$names" ] || exit 0
read -ra missing <<<"${names//$'\n'/ }"

echo "Installing with apt-get: ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
	exec bash "$0" --as-root "${missing[@]}"
elif command -v sudo >/dev/null; then
	exec sudo bash "$0" --as-root "${missing[@]}"
fi
die "no sudo here. As root: apt-get install --no-install-recommends ${missing[*]}"
