#!/bin/bash
# Runs an image that build-here.sh built, without a container engine: in a chroot with a root that
# can't be written, as the image's user, with processes and mounts of its own, on this machine's network.
#
#   deploy/run-here.sh [OPTION]... TARGET STATE [COMMAND...]     STATE becomes /var/lib/glean
#       --mount SOURCE:PLACE[:ro]      a folder or file of this machine
#       --env NAME=VALUE               a variable
#       --network none                 no network but its own loopback
set -euo pipefail
mounts=() variables=() own_network=()
while [[ ${1:-} == --* ]]; do
    case $1 in
    --mount) mounts+=("$2") ;;
    --env) variables+=("$2") ;;
    --network) own_network=(--net) ;;
    *) echo "found $1; wanted --mount, --env or --network" >&2; exit 2 ;;
    esac
    shift 2
done
[ $# -ge 2 ] || { echo "wanted TARGET STATE [COMMAND...]" >&2; exit 2; }
image=localhost/glean-$1
state=$(realpath "$2")
shift 2
config=$(buildah inspect --type image "$image")
list() { python3 -c 'import json, sys; print(*json.load(sys.stdin)["Docker"]["config"][sys.argv[1]], sep="\0", end="\0")' "$1" <<<"$config"; }
mapfile -d '' -t environment < <(list Env)
mapfile -d '' -t entry < <(list Entrypoint)
[ $# -gt 0 ] || { mapfile -d '' -t command < <(list Cmd); set -- "${command[@]}"; }
user=$(buildah inspect --type image --format '{{.Docker.Config.User}}' "$image")
container=$(buildah from "$image")
trap 'buildah umount "$container" >/dev/null; buildah rm "$container" >/dev/null' EXIT
root=$(buildah mount "$container")
chown "$user" "$state"
printf -v places '%s\n' "$state:/var/lib/glean" "${mounts[@]}"
export root user places offline="${own_network[*]}"
# shellcheck disable=SC2016 # the inner shell's own
unshare --mount --pid "${own_network[@]}" --fork --kill-child bash -euc '
    [ -z "$offline" ] || ip link set lo up
    mount --bind "$root" "$root"
    mount --rbind /dev "$root/dev"
    while IFS=: read -r source place options; do
        [ -n "$source" ] || continue
        mkdir -p "$(dirname "$root$place")"
        if [ -d "$source" ]; then mkdir -p "$root$place"; else touch "$root$place"; fi
        mount --bind "$source" "$root$place"
        [ -z "$options" ] || mount -o "remount,bind,$options" "$root$place"
    done <<<"$places"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount -o remount,bind,ro "$root"
    cd "$root"
    exec chroot --userspec="$user" "$root" /usr/bin/env -i --chdir=/var/lib/glean "$@"
' run-here "${environment[@]}" "${variables[@]}" "${entry[@]}" "$@" &
outer=$!
# What ends this ends what runs there, as an engine would: politely.
interrupted=yes
trap 'interrupted=yes; pkill -TERM --parent "$outer" || true' TERM INT
while [ "$interrupted" ]; do
    interrupted='' code=0
    wait "$outer" || code=$?
done
exit "$code"
