#!/usr/bin/env bash
# Builds the plugin into one executable file: examples/python/build.sh FILE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here/plugin.py" "$work/__main__.py"
cp "$root/host/scaffold/templates/python/restante_plugin.py" "$root/proto/formatter/v1/formatter.proto" "$work"
# With these times the same source always makes the same file.
TZ=UTC touch -t 198001010000 "$work"/*
TZ=UTC python3 -m zipapp "$work" --compress --python '/usr/bin/env python3' --output "$1"
chmod 755 "$1"
