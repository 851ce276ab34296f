#!/usr/bin/env bash
# Fetches a queue until nothing is unread, and keeps each batch in a folder of
# its own. It may be killed at any moment and run again: no message is lost, and
# none is kept twice.
#
#   API_KEY=… examples/poll.sh http://127.0.0.1:8089 QUEUE FOLDER
#
# How it survives: a batch gets its name by one rename, with its token beside it
# in the file "unmarked". Killed before the rename, nothing was kept, and the
# same messages come again. Killed after it, the next run marks the batch before
# it fetches anything; marking twice does no harm.
set -euo pipefail
[ $# = 3 ] && [ -n "${API_KEY:-}" ] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 2; }
url=$1/api/haplo-integration-messages/poll/$2
folder=$3
mkdir -p "$folder"

call() { curl -fsS --retry 5 --user "haplo:${API_KEY}" "$@"; }

mark_what_is_kept() {
  for unmarked in "$folder"/batch-*/unmarked; do
    [ -e "$unmarked" ] || continue
    call -X POST --data-urlencode "token@$unmarked" "$url/mark"
    echo
    rm "$unmarked"
  done
}

new=$folder/.new
mark_what_is_kept
while :; do
  rm -rf "$new"
  mkdir "$new"
  call -X GET -o "$new/document" -D "$new/headers" "$url/fetch"
  header() { tr -d '\r' <"$new/headers" | sed -n "s/^$1: //Ip"; }
  [ "$(header restante-count)" != 0 ] || break
  printf %s "$(header restante-token)" >"$new/unmarked"
  sync "$new"/*
  mv "$new" "$folder/batch-$(date +%Y%m%dT%H%M%S)-$(cksum <"$new/unmarked" | tr ' ' -)"
  mark_what_is_kept
done
rm -rf "$new"
