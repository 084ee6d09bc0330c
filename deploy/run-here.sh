#!/bin/bash
# Runs an image that build-here.sh built, without a container engine: in a chroot with a root that
# can't be written, as the image's user, with processes and mounts of its own, on this machine's network.
#
#   deploy/run-here.sh TARGET STATE [COMMAND...]     STATE becomes /var/lib/glean
#   KEYS=DIR                                         becomes /etc/glean/keys
set -euo pipefail
[ $# -ge 2 ] || { echo "wanted TARGET STATE [COMMAND...]" >&2; exit 2; }
image=localhost/glean-$1
state=$(realpath "$2")
shift 2
config=$(buildah inspect --type image "$image")
list() { python3 -c 'import json, sys; print(*json.load(sys.stdin)["Docker"]["config"][sys.argv[1]], sep="\0", end="\0")' "$1" <<<"$config"; }
mapfile -d '' -t variables < <(list Env)
mapfile -d '' -t entry < <(list Entrypoint)
[ $# -gt 0 ] || { mapfile -d '' -t command < <(list Cmd); set -- "${command[@]}"; }
user=$(buildah inspect --type image --format '{{.Docker.Config.User}}' "$image")
container=$(buildah from "$image")
trap 'buildah umount "$container" >/dev/null; buildah rm "$container" >/dev/null' EXIT
root=$(buildah mount "$container")
chown "$user" "$state"
export root state user
# shellcheck disable=SC2016 # the inner shell's own
unshare --mount --pid --fork --kill-child bash -euc '
    mount --bind "$root" "$root"
    mount --rbind /dev "$root/dev"
    mount --bind "$state" "$root/var/lib/glean"
    [ -z "${KEYS:-}" ] || mount --bind -o ro "$KEYS" "$root/etc/glean/keys"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount -o remount,bind,ro "$root"
    cd "$root"
    exec chroot --userspec="$user" "$root" /usr/bin/env -i --chdir=/var/lib/glean "$@"
' run-here "${variables[@]}" "${entry[@]}" "$@" &
outer=$!
# What ends this ends what runs there, as an engine would: politely.
trap 'pkill -TERM --parent "$outer" || true' TERM INT
code=0
wait "$outer" || code=$?
while kill -0 "$outer" 2>/dev/null; do
    code=0
    wait "$outer" || code=$?
done
exit "$code"
