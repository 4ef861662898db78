#!/bin/sh
# Prints the folder of the controller in which downloads and built wheels are kept. Makes nothing.
#   download_cache.sh [SHARED]
# QUARTET_CACHE names it; else it is SHARED (/var/cache/quartet) where this user may write there, as root and its owner may, and else
# the user's own cache.
set -eu

# Says whether this user may write in a folder, or make it.
may_write() {
  place=$1
  while [ ! -e "$place" ]; do place=$(dirname "$place"); done
  [ -d "$place" ] && [ -w "$place" ] && [ -x "$place" ]
}

if [ -n "${QUARTET_CACHE:-}" ]; then
  printf '%s\n' "$QUARTET_CACHE"
  exit
fi

# Folders in it may be another user's: one who ran as root in a cache that is yours.
shared=${1:-/var/cache/quartet}
if may_write "$shared" && may_write "$shared/jars" && may_write "$shared/quartet" && may_write "$shared/wheels" && may_write "$shared/box"; then
  printf '%s\n' "$shared"
  exit
fi

# A relative XDG_CACHE_HOME is to be ignored: https://specifications.freedesktop.org/basedir-spec/latest/
case ${XDG_CACHE_HOME:-} in
  /*) own=$XDG_CACHE_HOME ;;
  *) own=${HOME:?is not set, and neither is QUARTET_CACHE, which names the folder of downloads}/.cache ;;
esac
printf '%s\n' "$own/quartet"
