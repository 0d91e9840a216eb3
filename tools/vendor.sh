#!/bin/bash
# vendor.sh [dev]: fetches the npm packages of package-lock.json and copies what the pages use, with the
# licences, to static/vendor/; `dev` also keeps what the tests need in node_modules/. VERSIONS is
# written last, so the makefile knows the folder is whole.
set -eu
cd "$(dirname "$0")/.."
out=static/vendor
cache=build/npm-cache # not ~/.npm: nothing is left outside the checkout

# Peers are what redoc is built with; its bundle carries them.
omit=(--omit=peer --omit=dev)
[ "${1-}" != dev ] || omit=(--omit=peer)
npm ci "${omit[@]}" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error --cache "$cache" >/dev/null
rm -rf "$cache" "$out"
mkdir -p "$out"

inter=node_modules/@fontsource-variable/inter
cp node_modules/echarts/dist/echarts.min.js "$out/"
cp node_modules/echarts/LICENSE "$out/echarts.LICENSE"
cp node_modules/echarts/NOTICE "$out/echarts.NOTICE"
cp "$inter"/files/inter-latin-wght-normal.woff2 "$inter"/files/inter-latin-ext-wght-normal.woff2 "$out/"
cp "$inter/LICENSE" "$out/inter.LICENSE"

swagger=node_modules/swagger-ui-dist
cp "$swagger"/swagger-ui-bundle.js "$swagger"/swagger-ui.css "$out/"
cat "$swagger/LICENSE" "$swagger/NOTICE" "$swagger/swagger-ui-bundle.js.LICENSE.txt" >"$out/swagger-ui.LICENSE"
# Our pages ask nobody else for anything: the picture beside "API docs by Redocly" stays away, the words stay.
sed 's|https://cdn\.redoc\.ly/[a-z/-]*\.svg|data:,|g' node_modules/redoc/bundles/redoc.standalone.js >"$out/redoc.standalone.js"
cat node_modules/redoc/LICENSE node_modules/redoc/bundles/redoc.standalone.js.LICENSE.txt >"$out/redoc.LICENSE"

for package in echarts @fontsource-variable/inter swagger-ui-dist redoc; do
	node -p "'$package ' + require('./node_modules/$package/package.json').version"
done >"$out/VERSIONS.new"
mv "$out/VERSIONS.new" "$out/VERSIONS"
[ "${1-}" != dev ] || touch node_modules/.dev
