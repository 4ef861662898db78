#!/bin/sh
# Writes the folder of an inventory's secrets into one encrypted file:
#   encrypt_secrets.sh SECRETS_FOLDER TARGET.tar.age RECIPIENT KEY_FILE
# RECIPIENT: a public key of age (age1…); empty: the one of KEY_FILE, which is made if it is not there. The secrets go through a pipe:
# no unencrypted copy is written, and nothing secret is on a command line.
set -eu
umask 077
secrets=$1 target=$2 recipient=$3 key=$4

if [ -z "$recipient" ]; then
  if [ ! -e "$key" ]; then
    mkdir -p "$(dirname "$key")"
    age-keygen --output "$key" 2> /dev/null
  fi
  recipient=$(age-keygen -y "$key")
fi
mkdir -p "$(dirname "$target")"
# sh has no pipefail: what tar says of itself is kept beside the pipe
status=$({ { tar --create --directory "$(dirname "$secrets")" "$(basename "$secrets")" 3>&-; echo $? >&3; } \
  | age --encrypt --recipient "$recipient" --output "$target.new" 3>&- >&2; } 3>&1)
[ "$status" = 0 ]
if [ -e "$key" ] && [ "$(age-keygen -y "$key")" = "$recipient" ]; then
  # Every file comes back as it is.
  age --decrypt --identity "$key" "$target.new" | tar --diff --directory "$(dirname "$secrets")"
fi
mv "$target.new" "$target"
