#!/usr/bin/env bash
# Replaces the program of one node of a cluster, while the others go on. Run it on one
# machine after the other, where the daemon may be restarted:
#
#   RESTART="systemctl restart restante" examples/cluster/upgrade.sh NEW-PROGRAM PROGRAM DATA-FOLDER
#
# It changes nothing while some node has to catch up or is down. WAIT, 5m unless it is
# set, is how long it waits for that, before and after.
set -euo pipefail
[ $# = 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
new=$1 program=$2 data=$3 wait=${WAIT:-5m}
: "${RESTART:?say how the daemon is restarted, such as RESTART=\"systemctl restart restante\"}"

"$new" version || { echo "$new does not run on this machine: nothing was changed" >&2; exit 1; }
"$program" cluster status --data "$data" --wait "$wait" >/dev/null || { echo "Nothing was changed." >&2; exit 1; }

cp "$program" "$program.before"
cp "$new" "$program.new"
mv "$program.new" "$program" # at once, and also while the old one runs
echo "Restarting: $RESTART"
if sh -c "$RESTART" && "$program" cluster status --data "$data" --wait "$wait" >/dev/null; then
  echo "This node is upgraded. Go on with the next one."
else
  echo "Upgrade no other node before this one is mended. The program of before is $program.before." >&2
  exit 1
fi
