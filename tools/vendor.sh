#!/bin/bash
# vendor.sh: fetches the npm packages of package-lock.json and copies what the pages use, with the
# licences, to static/vendor/. VERSIONS is written last, so the makefile knows the folder is whole.
set -eu
cd "$(dirname "$0")/.."
out=static/vendor
cache=build/npm-cache # not ~/.npm: nothing is left outside the checkout

npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error --cache "$cache" >/dev/null
rm -rf "$cache" "$out"
mkdir -p "$out"

inter=node_modules/@fontsource-variable/inter
cp node_modules/echarts/dist/echarts.min.js "$out/"
cp node_modules/echarts/LICENSE "$out/echarts.LICENSE"
cp node_modules/echarts/NOTICE "$out/echarts.NOTICE"
cp "$inter"/files/inter-latin-wght-normal.woff2 "$inter"/files/inter-latin-ext-wght-normal.woff2 "$out/"
cp "$inter/LICENSE" "$out/inter.LICENSE"

for package in echarts @fontsource-variable/inter; do
	node -p "'$package ' + require('./node_modules/$package/package.json').version"
done >"$out/VERSIONS.new"
mv "$out/VERSIONS.new" "$out/VERSIONS"
