#!/usr/bin/env bash
# Runs three daemons on this machine that keep the same messages, and prints what to
# try. Their data stays in run/cluster from one time to the next.
#
#   make build && examples/cluster/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=run/cluster
mkdir -p $folder/plugins
[ -s $folder/cluster-secret ] || (umask 077 && openssl rand -base64 24 >$folder/cluster-secret)

started=""
trap 'kill $started 2>/dev/null || true; wait' EXIT
trap 'exit 0' INT TERM
api=8189
route=7422
for node in a b c; do
  # The configuration of the node is node.hcl with what differs.
  sed -e "s/^\(listen *= \).*/\1\"127.0.0.1:$api\"/" -e "s/data-a/$node/" \
    -e "s/node   = \"a\"/node   = \"$node\"/" -e "s/^\(  listen = \).*/\1\"127.0.0.1:$route\"/" \
    examples/cluster/node.hcl >$folder/$node.hcl
  bin/restante serve --config $folder/$node.hcl 2>$folder/$node.log &
  eval "$node=$!"
  started="$started $!"
  api=$((api + 1)) route=$((route + 1))
done

echo "Waiting for three nodes to find each other; the logs are in $folder/*.log …"
for port in 8189 8190 8191; do
  until curl -fs -o /dev/null "http://127.0.0.1:$port/readyz"; do
    for pid in $started; do
      kill -0 "$pid" 2>/dev/null || { tail -n 5 $folder/*.log >&2; exit 1; }
    done
    sleep 0.2
  done
done

key=$(bin/restante keys create --data $folder/a --group '*' --allow poll,add --note "examples/cluster")
path=api/haplo-integration-messages

cat <<END

Three daemons are running: a (process $a), b ($b) and c ($c). Ctrl-C stops them.

An API key for all queues, which holds on all three:
  $key

Add a message on a:
  curl -X POST -H 'Content-Type: application/json' --data '{"hello":"world"}' --user haplo:$key http://127.0.0.1:8189/$path/add/plain

Fetch it on b; the token is in the header "restante-token":
  curl -i --user haplo:$key http://127.0.0.1:8190/$path/poll/plain/fetch

Mark it read on b:
  curl -X POST --data-urlencode "token=TOKEN" --user haplo:$key http://127.0.0.1:8190/$path/poll/plain/mark

Kill c without warning, and go on:
  kill -9 $c
  echo '{"still":"here"}' | bin/restante add plain --data $folder/a
  bin/restante queues --data $folder/b

Start c again, which catches up:
  bin/restante serve --config $folder/c.hcl

END
wait
