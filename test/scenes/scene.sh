# What the scenes share: `ottla` is on the PATH, OTTLA_BROKERS names a broker, the folder is empty.
# Sourced, not run.
set -eu

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# expect WHAT WANTED GOT
expect() {
  [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
}

# exits CODE COMMAND...: runs it, with its output in ./out and ./err
exits() {
  wanted=$1
  shift
  code=0
  "$@" >out 2>err || code=$?
  expect "exit code of $*" "$wanted" "$code"
}

# until_true COMMAND...: asks again and again, 20 s at most
until_true() {
  end=$(($(date +%s) + 20))
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || fail "never came true: $*"
    sleep 0.1
  done
}

# has_kcat: whether to look from the other side too
has_kcat() {
  if command -v kcat >/dev/null; then return 0; fi
  echo 'skipped: what kcat sees: kcat is not installed'
  return 1
}

# seen_by_kcat TOPIC: keys and values, by partition
seen_by_kcat() {
  kcat -b "$OTTLA_BROKERS" -C -t "$1" -e -q -o beginning -f '%p %k %s\n'
}
