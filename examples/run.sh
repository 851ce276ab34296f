#!/usr/bin/env bash
# Runs a daemon on this machine with the shipped plugins and sample messages,
# and prints the calls to try. Its data stays in run/ from one time to the next.
#
#   examples/run.sh [ADDRESS:PORT]
set -euo pipefail
cd "$(dirname "$0")/.."
listen=${1:-127.0.0.1:8089}
base=http://$listen/api/haplo-integration-messages
export RESTANTE_DATA=run/data

# Another daemon there would answer in the place of ours.
if curl -fs -o /dev/null "http://$listen/healthz"; then
  echo "Something answers at $listen already: stop it, or choose another address: make run LISTEN=127.0.0.1:8090" >&2
  exit 1
fi

mkdir -p run/plugins
for plugin in bin/plugins/*; do
  install -m 755 "$plugin" "run/plugins/.${plugin##*/}.new"
  mv "run/plugins/.${plugin##*/}.new" "run/plugins/${plugin##*/}"
done

# The queue "webhook" is sent to a receiver on this machine, which prints what it got.
receiver=${listen%:*}:$((${listen##*:} + 10))
[ -s run/webhook-secret ] || (umask 077 && echo "whsec_$(head -c 32 /dev/urandom | base64)" >run/webhook-secret)
cat examples/restante.hcl - >run/restante.hcl <<END

# What follows is for this demo alone.
send_from = "$(hostname)"

queue "webhook" {
  method = "send"
  endpoint {
    url           = "http://$receiver/messages"
    secrets       = [file("webhook-secret")]
    on_add        = "1s"
    allow_private = ["${receiver%:*}"]
  }
}
END

bin/receiver --listen "$receiver" --secret "$(cat run/webhook-secret)" &
started=$!
trap 'kill $started 2>/dev/null || true; wait' EXIT
trap 'exit 0' INT TERM
bin/restante serve --listen "$listen" --plugins run/plugins --config run/restante.hcl &
daemon=$!
started="$started $daemon"

until curl -fs -o /dev/null "http://$listen/readyz"; do
  kill -0 $daemon 2>/dev/null || exit 1
  sleep 0.1
done

# The idempotency keys make it safe to add the samples every time.
bin/restante add student examples/messages/student.ndjson --key sample >/dev/null
head -3 examples/messages/student.ndjson | bin/restante add webhook --key sample >/dev/null
for group in plain csv cloudevents; do
  bin/restante add "$group" examples/messages/github-webhooks.ndjson --key sample >/dev/null
done

key=$(bin/restante keys create --group '*' --allow poll,add --note "make run")
token=$(curl -fs -o /dev/null -D - --user "haplo:$key" "$base/poll/student/fetch" |
  tr -d '\r' | sed -n 's/^restante-token: //Ip')

link=$(bin/restante users invite admin --role admin 2>/dev/null || true)

cat <<END

Restante is running. Its data is in run/data; Ctrl-C stops it.

$(bin/restante queues)

The pages for people are at http://$listen/admin/. This link, good for one use and in
the place of any in the log, has you choose a password for the user "admin":
  $link

An API key for all queues:
  $key

Fetch the oldest 16 unread messages of the queue "student":
  curl -X GET --user haplo:$key $base/poll/student/fetch

Mark them read with the token of that document:
  curl -X POST --data-urlencode "token=$token" --user haplo:$key $base/poll/student/mark

Add one more:
  curl -X POST -H 'Content-Type: application/json' --data '{"hello":"world"}' --user haplo:$key $base/add/plain

The queue "webhook" is sent, to a receiver on this machine that prints what it gets
and verifies the signature. Add a message, and it is there a second later:
  echo '{"hello":"world"}' | bin/restante add webhook --data run/data
  bin/restante send status webhook --data run/data

The other queues are $base/poll/plain/fetch, …/csv/fetch and …/cloudevents/fetch.

END
wait $daemon
