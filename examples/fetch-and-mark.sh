#!/usr/bin/env bash
# The two calls of a poller, as Haplo documents them: fetch, then mark with the
# token of the document.
#
#   API_KEY=… examples/fetch-and-mark.sh http://127.0.0.1:8089 QUEUE
set -euo pipefail
[ $# = 2 ] && [ -n "${API_KEY:-}" ] || { sed -n 's/^# \{0,1\}//p' "$0" | tail -n +2; exit 2; }
url=$1/api/haplo-integration-messages/poll/$2
document=$(mktemp)
trap 'rm -f "$document"' EXIT

# The header saves looking for the token in the document.
token=$(curl -fsS -X GET --user "haplo:${API_KEY}" -o "$document" -D - "$url/fetch" |
  tr -d '\r' | sed -n 's/^restante-token: //Ip')
cat "$document"
echo

# This is where the messages would be worked on.

curl -fsS -X POST --data-urlencode "token=$token" --user "haplo:${API_KEY}" "$url/mark"
echo
