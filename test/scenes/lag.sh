#!/bin/sh
# Is a group behind? Every answer that a script can get: 0, 1, 3, 5, and what monitoring wants.
. "$SCENES/scene.sh"

ottla topic create bills -p 3 >/dev/null
seq 1 600 | ottla produce bills -p 0 -q
ottla group reset billing --topic bills --to 57 --allow-new --execute >/dev/null

# 1 = behind, 3 = no such group, 5 = cannot ask: never 0 by accident.
exits 0 ottla lag billing --max 1000 --max-time 2m
exits 1 ottla lag billing --max 10
expect 'said' 'ottla lag: billing is 543 behind, limit 10' "$(cat err)"
expect 'shown' 4 "$(grep -c . out)"
exits 3 ottla lag biling --max 1000
expect 'said' 'ottla lag: no such group "biling"; did you mean "billing"?' "$(cat err)"
exits 5 ottla lag billing --max 1000 -b 127.0.0.1:1
exits 2 ottla lag billing --max ten
exits 2 ottla lag billing --max 100 --warn 50 --nagios
expect 'nagios' 'LAG CRITICAL - billing 543 behind (max 100) | lag=543;50;100;0' "$(cut -d' ' -f1-10 out)"
exits 1 ottla lag billing --max 1000 --warn 50 --nagios
exits 0 ottla lag billing --max 1000 --warn 900 --nagios
exits 3 ottla lag biling --nagios
if command -v jq >/dev/null; then
  expect 'a total' 543 "$(ottla lag billing --by group --json | jq '.groups[0].lag')"
fi

# Nobody reads: the wait runs out. Somebody does: it ends at once.
exits 1 ottla lag billing --max 0 --wait 1s --interval 200ms
ottla lag billing --max 0 --wait 60s --interval 200ms >waited 2>&1 &
waiter=$!
if has_kcat; then
  kcat -b "$OTTLA_BROKERS" -G billing -q -e bills >read 2>/dev/null
else
  ottla consume bills -g billing -e >read
fi
expect 'read from the commit on' 543 "$(grep -c . read)"
code=0
wait "$waiter" || code=$?
expect 'caught up' 0 "$code"
exits 0 ottla lag billing --max 0

# Back to where it was, and away.
ottla group reset billing --to current --json >plan.json
exits 0 ottla group reset billing --to start --execute
exits 1 ottla lag billing --max 599
exits 0 ottla group reset billing --to file=plan.json --execute
exits 0 ottla lag billing --max 0
if has_kcat; then
  expect 'nothing is left for kcat' '' "$(kcat -b "$OTTLA_BROKERS" -G billing -q -e bills 2>/dev/null)"
fi
exits 0 ottla group delete billing --yes
exits 3 ottla lag billing
echo 'done: lag'
