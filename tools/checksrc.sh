#!/bin/bash
# checksrc.sh [DIR]: our own rules about the source, which no compiler knows. Prints each offence as
# file:line: rule; exit code 1 if there is one.
#
#   banned     functions that are unsafe, depend on the locale or share a static buffer
#   layers     base <- db <- domain; web and forecast stand on base; programs on all of them
#   libraries  libpq only in lib/db, libmariadb only in lib/db/source_mysql.c, libfcgi only in lib/web
#   length     no file over 700 lines
#   statements each named statement is used in the programs, and each used one has its name
#   machines   no path of somebody's machine
#   merges     nothing that a merge left behind
set -eu

cd "${1:-$(dirname "$0")/..}"
offences=$(mktemp)
trap 'rm -f "$offences"' EXIT

BANNED='strcpy|stpcpy|strcat|sprintf|vsprintf|strncpy|strncat|strtok|gets|atoi|atol|atoll|atof|sscanf|gmtime|localtime|asctime|ctime|strerror|system|popen|alloca|rand|srand|setlocale|tmpnam|tempnam|mktemp|json_real|PQescapeString|PQexec'

# Code without comments and strings, on the lines where it was.
code() {
	awk '
	{
		line = $0; out = ""
		while (line != "") {
			if (inside) {
				at = index(line, "*/")
				if (!at) { line = ""; break }
				inside = 0; line = substr(line, at + 2); continue
			}
			if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"|'\''([^'\''\\]|\\.)+'\''/)) {
				token = substr(line, RSTART, RLENGTH)
				out = out substr(line, 1, RSTART - 1)
				line = substr(line, RSTART + RLENGTH)
				if (token == "/*") inside = 1
				else if (token == "//") line = ""
				else out = out "\"\""
			} else { out = out line; line = "" }
		}
		print out
	}' "$1"
}

sources() { find "$@" -name '*.[ch]' -not -path '*/build/*' 2>/dev/null | sort; }

say() { sed "s|^|$1:|; s|\$| ($2)|" >>"$offences"; }

check_banned() { # FILE
	code "$1" | grep -nE "(^|[^A-Za-z0-9_.>])($BANNED)[[:space:]]*\(" | say "$1" "banned function" || :
}

# includes FILE PATTERN WHY
includes() { grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]+[\"<]($2)" "$1" | say "$1" "$3" || :; }

check_layers() { # FILE
	case $1 in
	lib/base/*) includes "$1" '(db|domain|web|forecast|batch|cgi-bin|stream)/' 'lib/base stands on nothing' ;;
	lib/db/*) includes "$1" '(domain|web|forecast|batch|cgi-bin|stream)/' 'lib/db stands on base alone' ;;
	lib/domain/*) includes "$1" '(web|forecast|batch|cgi-bin|stream)/' 'lib/domain stands on base and db' ;;
	lib/web/* | lib/forecast/* | lib/behaviour/*) includes "$1" '(db|domain|batch|cgi-bin|stream)/' 'stands on base alone' ;;
	cgi-bin/*) includes "$1" '(batch|stream)/|db/source' 'takings-web knows no order_db and no other program' ;;
	batch/*) includes "$1" '(cgi-bin|stream)/' 'takings-batch knows no other program' ;;
	stream/*) includes "$1" '(cgi-bin|batch)/' 'takings-stream knows no other program' ;;
	esac
	case $1 in
	lib/web/*) includes "$1" '../db|libpq' 'no SQL here' ;;
	esac
	case $1 in lib/db/*) ;; *) includes "$1" 'libpq-fe' 'libpq belongs to lib/db' ;; esac
	case $1 in lib/db/source_mysql.c) ;; *) includes "$1" 'mysql|mariadb|errmsg' 'libmariadb belongs to lib/db/source_mysql.c' ;; esac
	case $1 in lib/web/*) ;; *) includes "$1" 'fcgi' 'libfcgi belongs to lib/web' ;; esac
}

check_length() { # FILE
	local n
	n=$(wc -l <"$1")
	if [ "$n" -gt 700 ]; then echo "$1:$n: over 700 lines" >>"$offences"; fi
}

# "file:line:name" of the statements there are, and the names that calls and tables ask for.
statements() { grep -rHnoP --include='*.sql' '^-- name: \K.*' sql/queries 2>/dev/null || :; }

asked() { # FILE
	tr '\n\t' '  ' <"$1" | grep -oP '(\bdb_(query|script|describe)\( *[^,()]+, *|\.statement = )"\K[a-z0-9_]+(?=")' || :
}

check_statements() {
	local all names file name at
	all="$(sources lib batch cgi-bin stream) $(find cgi-bin -name 'routes_*.def' 2>/dev/null || :)"
	names=$(statements | cut -d: -f3)
	statements | while IFS=: read -r file at name; do
		grep -qF "\"$name\"" $all /dev/null || echo "$file:$at: statement $name is used nowhere" >>"$offences"
	done
	statements | sort -t: -k3,3 -s | awk -F: 'seen[$3]++ {print $1 ":" $2 ": statement " $3 " is there twice"}' >>"$offences"
	for file in $all; do
		for name in $(asked "$file"); do
			grep -qxF "$name" <<<"$names" || echo "$file:$(grep -nF "\"$name\"" "$file" | head -n 1 | cut -d: -f1): there is no statement $name" >>"$offences"
		done
	done
}

# Two branches may have taken the same number.
check_migrations() {
	find sql/migrations -name '[0-9]*.sql' 2>/dev/null | sort |
		awk -F'[/_]' 'seen[$3]++ {print $0 ":1: there is another migration " $3}' >>"$offences"
}

check_statements
check_migrations
for file in $(sources lib batch cgi-bin stream); do
	check_banned "$file"
	check_layers "$file"
	check_length "$file"
done
for file in $(sources tests); do
	check_banned "$file"
	check_length "$file"
done
for file in $(find tests tools sql templates static -type f \( -name '*.mjs' -o -name '*.js' -o -name '*.sh' -o -name '*.py' -o -name '*.sql' -o -name '*.html' \) \
	-not -path 'static/vendor/*' 2>/dev/null | sort); do
	check_length "$file"
done

# The pattern is put together here so that this file does not match itself.
MACHINES='(^|[^A-Za-z0-9_.-])/(w''ork|ho''me/[a-z]+|Us''ers/[A-Za-z]+|ro''ot)/'
grep -rnEI --exclude-dir=build --exclude-dir=var --exclude-dir=node_modules --exclude-dir=vendor --exclude-dir=.git --exclude=package-lock.json \
	"$MACHINES" . 2>/dev/null | sed -E 's|^\./||; s|^([^:]*:[0-9]*):.*|\1: path of a machine|' >>"$offences" || :

grep -rnEI --exclude-dir=build --exclude-dir=var --exclude-dir=node_modules --exclude-dir=vendor --exclude-dir=.git \
	'^(<{7}|>{7}) ' . 2>/dev/null | sed -E 's|^\./||; s|^([^:]*:[0-9]*):.*|\1: left by a merge|' >>"$offences" || :

sort -u "$offences"
[ ! -s "$offences" ]
