#!/bin/sh
# Lets the bakeries of compose's profile distributed into the SuperLink: their keys, not their names.
set -eu
mkdir -p "$FLWR_HOME"
cat >"$FLWR_HOME/config.toml" <<END
[superlink.bakeries]
address = "${SUPERLINK:-superlink:8000}"
root-certificates = "/etc/glean/keys/ca.crt"
END
for key in /etc/glean/keys/bakeries/*/node-key.pub; do
    said=$(flwr supernode register "$key" bakeries 2>&1) && continue
    case $said in
    *"already in use"*) ;;
    *)
        echo "$said" >&2
        exit 1
        ;;
    esac
done
