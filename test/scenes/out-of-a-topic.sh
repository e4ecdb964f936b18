#!/bin/sh
# The last lines of a topic and then what comes; an hour of it as JSON.
. "$SCENES/scene.sh"

ottla topic create payments -p 2 >/dev/null
seq 1 20 | sed 's/.*/{"amount":&}/' | ottla produce payments -p 0 -q
ottla tail payments -f '%t[%p]@%o %s\n' >tailed &
reader=$!
trap 'kill $reader 2>/dev/null || :' EXIT
until_true test -s tailed
until_true grep -q '@19 ' tailed
expect 'ten lines first' 10 "$(grep -c . tailed)"

# What is written by others comes at once, without buffering.
if has_kcat; then
  printf '{"amount":100}\n' | kcat -b "$OTTLA_BROKERS" -P -t payments -p 1
else
  printf '{"amount":100}\n' | ottla produce payments -p 1 -q
fi
until_true grep -q '^payments\[1\]@0 {"amount":100}$' tailed
kill -INT "$reader"
code=0
wait "$reader" || code=$?
expect 'interrupted' 130 "$code"

ottla consume payments -o @-1h:end --json >hour.ndjson
expect 'an hour of it' 21 "$(grep -c . hour.ndjson)"
expect 'nothing before' 0 "$(ottla consume payments -o @-2h:@-1h --json | wc -l | tr -d ' ')"
if command -v jq >/dev/null; then
  expect 'the sum' 310 "$(jq -s 'map(.value | fromjson | .amount) | add' hour.ndjson)"
fi
if has_kcat; then
  expect 'kcat counts the same' 21 "$(seen_by_kcat payments | wc -l | tr -d ' ')"
fi
echo 'done: out of a topic'
