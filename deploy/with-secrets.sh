#!/bin/sh
# Hands secrets of compose on as variables, which no list of processes shows: with-secrets COMMAND...
set -eu
hand_on() {
    if [ -e "/run/secrets/$1" ]; then
        # In two steps: of one that can't be read the shell tells only the first.
        value=$(cat "/run/secrets/$1")
        export "$2=$value"
    fi
}
hand_on database-url GLEAN_DATABASE
hand_on broker-url GLEAN_BROKER
hand_on storage-url GLEAN_STORAGE
hand_on mlflow-uri MLFLOW_TRACKING_URI
exec "$@"
