#!/bin/bash
# lint.sh [fix]: everything that checks the source without running it; `fix` only puts it into format.
#
#   format     clang-format, as .clang-format says
#   checksrc   our own rules
#   compilers  gcc and clang, every warning an error
#   tidy       clang-tidy, as .clang-tidy says
#   shell      bash -n, and shellcheck where it is installed
set -eu

cd "$(dirname "$0")/.."
mapfile -t files < <(find lib batch cgi-bin stream tests -name '*.[ch]' | sort)
mapfile -t units < <(printf '%s\n' "${files[@]}" | grep '\.c$')
objects=("${units[@]/%.c/.o}")
mapfile -t scripts < <(find tools tests .ci -type f \( -name '*.sh' -o -path .ci/run \) | sort)
jobs=$(nproc)
failed=()

step() { # NAME COMMAND...
	local name=$1
	shift
	printf '%s ...\n' "$name"
	"$@" || failed+=("$name")
}

format() { clang-format --dry-run -Werror "${files[@]}"; }

compile() { # COMPILER
	make --no-print-directory -s -k -j"$jobs" CC="$1" B="build/lint-$1" "${objects[@]/#/build/lint-$1/obj/}" >/dev/null
}

tidy() {
	local flags
	make --no-print-directory -s build/gen/assets.c build/gen/git_sha.h
	read -ra flags <<<"-std=c17 -D_GNU_SOURCE -DTAKINGS_VERSION=\"0\" -Ilib -I. -Ibuild/gen $(pkg-config --cflags libpq libmariadb)"
	printf '%s\0' "${units[@]}" | xargs -0 -n 4 -P "$jobs" sh -c 'clang-tidy --quiet "$@" 2>/dev/null -- '"$(printf '%q ' "${flags[@]}")" sh
}

shell() {
	local script
	for script in "${scripts[@]}"; do bash -n "$script"; done
	if command -v shellcheck >/dev/null; then shellcheck -x -S warning "${scripts[@]}"; fi
}

if [ "${1-}" = fix ]; then
	clang-format -i "${files[@]}"
	exit
fi
step format format
step checksrc tools/checksrc.sh
step 'compile with gcc' compile gcc
step 'compile with clang' compile clang
step clang-tidy tidy
step shell shell
if [ ${#failed[@]} -gt 0 ]; then
	printf 'lint: FAILED: %s\n' "${failed[*]}"
	exit 1
fi
echo 'lint: ok'
