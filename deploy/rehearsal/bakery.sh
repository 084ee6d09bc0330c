#!/bin/sh
# A made-up bakery for compose's profiles dev and distributed: bakery.sh invited | registered
# Takes a number that no other container has, and the invitation or the keys of that number.
set -eu
shared=$1
own=/var/lib/glean

take_number() {
    number=1
    while [ "$number" -le "${BAKERIES:-10}" ]; do
        if mkdir "/var/lib/glean-shared/taken-$number" 2>/dev/null; then
            echo "$number"
            return
        fi
        number=$((number + 1))
    done
    echo "all ${BAKERIES:-10} bakeries are taken: wanted a larger BAKERIES, or a smaller --scale" >&2
    exit 1
}

if [ ! -e "$own/number" ]; then
    number=$(take_number)
    glean data generate --bakeries "$number" --out /tmp/tables
    mv "/tmp/tables/bakery_$number.csv" "$own/sales.csv"
    rm -rf /tmp/tables
    echo "$number" >"$own/number"
fi
number=$(cat "$own/number")

case $shared in
invited)
    if [ ! -e "$own/home/join.json" ]; then
        # Made-up bakeries have nobody to telephone with: they trust whom the operator lets in.
        exec glean join "$(cat "/var/lib/glean-shared/invitation-$number")" --sales "$own/sales.csv" \
            --home "$own/home" --trust operator --min-contributors "${MIN_CONTRIBUTORS:-5}" \
            --no-page --yes
    fi
    exec glean join --home "$own/home" --no-page --yes
    ;;
registered)
    keys="/etc/glean/keys/bakeries/Bakery-$number"
    cat >"$own/bakery.toml" <<END
sales = "$own/sales.csv"
bakery = "Bakery $number"
home = "$own/home"
signing-key = "$keys/signing-key"
members = "/etc/glean/keys/members.json"
model-key = "/etc/glean/keys/model-key.pub"
min-contributors = ${MIN_CONTRIBUTORS:-5}
END
    exec glean node "${SUPERLINK:-superlink:8000}" --root-certificates /etc/glean/keys/ca.crt \
        --key "$keys/node-key" --config "$own/bakery.toml"
    ;;
*)
    echo "found $shared; wanted invited or registered" >&2
    exit 2
    ;;
esac
