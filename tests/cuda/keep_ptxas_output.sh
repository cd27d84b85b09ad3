#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiler launcher of the .cu files: keep_ptxas_output.sh COMMAND... runs the compiler (through ccache, if that is the
# command's first word), keeps what it says in OBJECT.ptxas beside the object and shows all of it but ptxas' own notes.
set -u
previous='' object=''
for word in "$@"; do
  [ "$previous" = -o ] && object=$word
  previous=$word
done
if [ -z "$object" ]; then exec "$@"; fi
status=0
"$@" 2>"$object.ptxas" || status=$?
grep -vE '^ptxas info |^ +[0-9]+ bytes stack frame' "$object.ptxas" >&2
exit "$status"
