#!/bin/bash
# embed.sh VERSION FILE...: prints a C table of the files' names and texts, so that the
# programs carry their SQL and templates and need no files beside them, and the version of
# the files that do stand beside them.
set -eu
echo '#include "base/assets.h"'
echo "const char assets_version[] = \"$1\";"
shift
echo 'const struct asset assets[] = {'
for f in "$@"; do
	printf '{"%s",\n' "$f"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/\t/\\t/g' -e 's/^/"/' -e 's/$/\\n"/' "$f"
	[ -s "$f" ] || echo '""'
	echo '},'
done
echo '{0, 0}};'
