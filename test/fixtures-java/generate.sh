#!/usr/bin/env bash
# Makes fixtures/wire and fixtures/groups anew, with Apache Kafka's own message classes: 4.3.1 for the versions it
# serves, 3.9.1 for those that 4.x dropped. The result is committed, so tests need neither Java
# nor Maven; run this after a change of WireFixtures.java or for a newer Kafka.
#
#   npm run fixtures
#
# Environment: OTTLA_JARS  where the jars are kept (default ${XDG_CACHE_HOME:-$HOME/.cache}/ottla-fixtures)
# Needs a JDK 17 or newer and Maven.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../fixtures/wire
jars=${OTTLA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/ottla-fixtures}
newest=4.3.1
older=3.9.1

need() { # need PROGRAM HINT
  command -v "$1" >/dev/null || { echo "fixtures: $1 is not on the PATH. $2" >&2; exit 2; }
}
need javac "Install a JDK 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)."
need mvn "Install Maven (Debian: apt-get install maven)."

fetch() { # fetch GROUP:ARTIFACT:VERSION
  local artifact=${1#*:}
  [[ -f $jars/${artifact/:/-}.jar ]] && return
  mvn -q -B --color never dependency:copy -Dartifact="$1" -DoutputDirectory="$jars" >&2 ||
    { echo "fixtures: Maven could not fetch $1 (see above)" >&2; exit 2; }
}
for artifact in kafka-clients:$newest kafka-metadata:$newest kafka-clients:$older; do
  fetch "org.apache.kafka:$artifact"
done
fetch org.slf4j:slf4j-api:1.7.36
fetch org.slf4j:slf4j-nop:1.7.36

run() { # run KAFKA-VERSION JAR...
  local version=$1 path=$jars/slf4j-api-1.7.36.jar:$jars/slf4j-nop-1.7.36.jar; shift
  for jar in "$@"; do path+=:$jars/$jar-$version.jar; done
  java -cp "$path" "$here/WireFixtures.java" "$out" "$version"
}
rm -rf "$out"
run $newest kafka-clients kafka-metadata
run $older kafka-clients
path=$jars/slf4j-api-1.7.36.jar:$jars/slf4j-nop-1.7.36.jar:$jars/kafka-clients-$newest.jar
java -cp "$path" "$here/AssignorFixtures.java" "$here/../../fixtures/groups/assignors.json"
