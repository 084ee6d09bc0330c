#!/bin/sh
# Makes the keys of a rehearsal for compose's profile distributed, once: those of the bakeries too,
# which in a real federation each bakery makes for itself.
set -eu
set -- --host superlink
number=1
while [ "$number" -le "${BAKERIES:-10}" ]; do
    set -- "$@" --bakery "Bakery $number"
    number=$((number + 1))
done
[ -e /etc/glean/keys/members.json ] || glean certificates /etc/glean/keys "$@"
