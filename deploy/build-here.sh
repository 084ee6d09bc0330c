#!/bin/bash
# Builds the images on Debian as root, without a container engine: buildah in a chroot, from a base
# of Debian's own packages that debootstrap makes.
#
#   deploy/build-here.sh [TARGET]... [-- OPTION...]      options are for buildah bud
#
# Where pip needs it: -- --secret id=pip,src=FILE --secret id=roots,src=FILE
set -euo pipefail
cd "$(dirname "$0")/.."
suite=${SUITE:-bookworm}
base=${BASE:-localhost/glean-base:$suite}
for program in buildah debootstrap; do
    command -v "$program" >/dev/null || {
        echo "found no $program; wanted it for the build: apt-get install $program" >&2
        exit 2
    }
done
[ "$(id -u)" -eq 0 ] || { echo "found user $(id -un); wanted root, who may chroot" >&2; exit 2; }

targets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    targets+=("$1")
    shift
done
[ $# -eq 0 ] || shift
[ ${#targets[@]} -gt 0 ] || targets=(node server worker service)

make_base() {
    local scratch container
    scratch=$(mktemp -d)
    container=$(buildah from scratch)
    trap 'rm -rf "$scratch"; buildah rm "$container" >/dev/null' RETURN
    debootstrap --variant=minbase "$suite" "$scratch/root" ${MIRROR:+"$MIRROR"} >"$scratch/log" 2>&1 || {
        tail -20 "$scratch/log" >&2
        return 1
    }
    rm -rf "$scratch"/root/var/cache/apt/archives/*.deb "$scratch"/root/var/lib/apt/lists/*
    buildah add --quiet "$container" "$scratch/root" / >/dev/null
    buildah commit --quiet "$container" "$base" >/dev/null
}
buildah inspect --type image "$base" >/dev/null 2>&1 || make_base
for target in "${targets[@]}"; do
    # OCI's own format has no health check.
    buildah bud --quiet --isolation chroot --format docker --layers --build-arg BASE="$base" \
        --target "$target" --tag "localhost/glean-$target" --file deploy/Dockerfile "$@" .
done
