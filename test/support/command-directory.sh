#!/bin/bash
# An executable as a `command` directory runs it, whose directory is a server on port $1: one question, one answer.
[ -n "$DIRECTORY_PASSWORD" ] || exit 9
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 7
IFS= read -r question
printf '%s\n' "$question" >&3
exec cat <&3
