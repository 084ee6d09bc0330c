#!/bin/sh
# Invites the made-up bakeries of compose's profile dev, once.
set -eu
number=1
while [ "$number" -le "${BAKERIES:-10}" ]; do
    link="/var/lib/glean-shared/invitation-$number"
    if [ ! -e "$link" ]; then
        glean invite "Bakery $number" --results /var/lib/glean/results --days 365 >/tmp/invitation
        head -n 1 /tmp/invitation >"$link.new"
        mv "$link.new" "$link"
    fi
    number=$((number + 1))
done
