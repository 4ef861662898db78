#!/bin/bash
# Fetches a set of jars with Maven into the download cache, compares it with its lock, and packs it: once, whoever asks.
#   fetch_jars.sh CACHE NAME POM LOCK
# Prints the path of the archive, then "fetched" or "cached".
set -euo pipefail
cache=$1 name=$2 pom=$3 lock=$4
# of the text without its last newline, as Ansible reads a file
set=$cache/jars/$name-$(printf %s "$(cat "$lock")" | sha256sum | cut -c1-12)

mkdir -p "$cache/jars"
# Several hosts ask side by side: one fetches and the others wait.
exec 9> "$set.lock"
flock 9
echo "$set.tar"
if [ -f "$set.tar" ]; then
  echo cached
  exit
fi
command -v mvn > /dev/null || { echo 'mvn is not on the controller: install Maven (Debian: maven)' >&2; exit 1; }
rm -rf "$set"
mvn -B -q -f "$pom" dependency:copy-dependencies -DoutputDirectory="$set"
cd "$set"
sha256sum --check --strict --quiet "$lock"
[ "$(find . -type f | wc -l)" = "$(wc -l < "$lock")" ] || { echo 'Maven fetched other jars than the lock names' >&2; exit 1; }
tar --sort=name --owner=0 --group=0 --mode=u=rwX,go=rX --mtime=@0 -cf "$set.tar.new" .
mv "$set.tar.new" "$set.tar"
rm -rf "$set"
echo fetched
