#!/bin/sh
# A log file and a JSON array go into topics, and what did not go in is told.
. "$SCENES/scene.sh"

ottla topic create logs orders -p 1 >/dev/null
touch app.log
mkfifo pipe
tail -n +1 -F app.log >pipe 2>/dev/null &
follower=$!
ottla produce logs -k web-1 <pipe 2>/dev/null &
producer=$!
trap 'kill $follower 2>/dev/null || :' EXIT

# Each line leaves while the pipe stays open.
echo 'GET /' >>app.log
expect 'the first line' 'web-1 GET /' "$(ottla consume logs -n 1 -f '%k %s\n')"
echo 'GET /two' >>app.log
expect 'the second line' 'web-1 GET /two' "$(ottla consume logs -o 1 -n 1 -f '%k %s\n')"
if has_kcat; then
  expect 'kcat, the log' "$(printf '0 web-1 GET /\n0 web-1 GET /two')" "$(seen_by_kcat logs)"
fi
kill "$follower"
code=0
wait "$producer" || code=$?
expect 'every line acknowledged' 0 "$code"

# Exit 0 only if every record was acknowledged.
printf '{"id":1}\n{"id":2}\n' >orders.ndjson
exits 0 ottla produce orders <orders.ndjson
expect 'the summary' '2 records' "$(cut -d' ' -f1,2 err)"
exits 5 ottla produce orders -b 127.0.0.1:1 <orders.ndjson
printf '{"value":1}\n' >bad.ndjson
exits 4 ottla produce orders --json <bad.ndjson
if has_kcat; then
  expect 'kcat, the orders' "$(printf '0  {"id":1}\n0  {"id":2}')" "$(seen_by_kcat orders)"
fi
echo 'done: into a topic'
