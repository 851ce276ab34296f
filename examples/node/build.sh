#!/usr/bin/env bash
# Builds the plugin into one executable file: examples/node/build.sh FILE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here/plugin.js" "$root/proto/formatter/v1/formatter.proto" "$work"
cp "$root"/host/scaffold/templates/node/{restante-plugin.js,package.json,package-lock.json} "$work"
npm ci --prefix "$work" --silent --no-audit --no-fund --prefer-offline
"$work/node_modules/.bin/esbuild" "$work/plugin.js" --bundle --platform=node --target=node18 --loader:.proto=text \
  --banner:js='#!/usr/bin/env node' --minify-syntax --minify-whitespace --log-level=warning --outfile="$1"
chmod 755 "$1"
