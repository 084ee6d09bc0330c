#!/usr/bin/env bash
# Submits a command that runs a Flower app as a SLURM job. docs/clusters.md tells more.
set -euo pipefail

usage() {
    cat <<'END_OF_USAGE'
usage: ./submit-job.sh "COMMAND" [options]

  ./submit-job.sh "flwr run . cluster-cpu"
  ./submit-job.sh "flwr run . cluster-gpu" --gpu
  ./submit-job.sh "cd DIR && flwr run . cluster-cpu" --nodes 2 --cpus 16 --time 2:00:00
  ./submit-job.sh "glean simulate --profile cluster-cpu.toml --sales FILE" --wait

COMMAND is any shell command; it starts in the folder in which you are. Its output goes to
~/logs/job_<id>.out.

  --nodes N         nodes; Ray spans all of them (default: 1)
  --cpus N          CPUs on each node (default: 4)
  --mem SIZE        memory on each node, like 16G (default: the cluster's)
  --time LIMIT      time limit, like 30 (minutes), 2:00:00 or 1-12 (default: the cluster's)
  --partition NAME  partition, or several with commas (default: the cluster's)
  --gpu             a GPU on each node; a run that then trains on the CPU fails
  --gpus [TYPE:]N   that many GPUs on each node; implies --gpu
  --wait            wait for the end of the job; exit with its exit code
  --dry-run         print the batch script and submit nothing; needs no SLURM
  --help            this text

What else your cluster wants goes into sbatch's own variables: SBATCH_ACCOUNT, SBATCH_QOS, ...
END_OF_USAGE
}

refuse() {
    printf 'submit-job.sh: %s\n(./submit-job.sh --help tells what can be said)\n' "$1" >&2
    exit 2
}

# Writes a text so that a shell reads it as one word.
quote() {
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

# check OPTION VALUE PATTERN WANTED
check() {
    [[ $2 =~ ^($3)$ ]] || refuse "$1: found '$2'; wanted $4"
}

command='' nodes=1 cpus=4 mem='' time='' partition='' gpus='' wait='' dry_run=''
while [ $# -gt 0 ]; do
    case $1 in
    --nodes=* | --cpus=* | --mem=* | --time=* | --partition=* | --gpus=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        ;;
    esac
    case $1 in
    --nodes | --cpus | --mem | --time | --partition | --gpus)
        [ $# -gt 1 ] || refuse "$1: its value is missing"
        ;;
    esac
    case $1 in
    --nodes) check "$1" "$2" '[1-9][0-9]*' 'a number from 1 on' && nodes=$2 && shift ;;
    --cpus) check "$1" "$2" '[1-9][0-9]*' 'a number from 1 on' && cpus=$2 && shift ;;
    --mem) check "$1" "$2" '[0-9]+[KMGT]?' 'a size like 16G' && mem=$2 && shift ;;
    --time)
        check "$1" "$2" '[0-9]+(:[0-9]+){0,2}|[0-9]+-[0-9]+(:[0-9]+){0,2}' \
            'minutes, hours:minutes:seconds or days-hours'
        time=$2 && shift
        ;;
    --partition) check "$1" "$2" '[A-Za-z0-9_.,-]+' "a partition's name" && partition=$2 && shift ;;
    --gpus)
        check "$1" "$2" '([A-Za-z0-9_.-]+:)?[1-9][0-9]*' 'a number from 1 on, or TYPE:NUMBER'
        gpus=$2 && shift
        ;;
    --gpu) gpus=${gpus:-1} ;;
    --wait) wait=yes ;;
    --dry-run) dry_run=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    -*) refuse "there is no option '$1'" ;;
    *)
        [ -z "$command" ] || refuse "found a second command, '$1'; put the whole of it in quotes"
        [ -n "${1//[[:space:]]/}" ] || refuse 'the command is empty'
        command=$1
        ;;
    esac
    shift
done
[ -n "$command" ] || refuse 'the command is missing'

checkout=$(cd -P "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
for profile in cluster-cpu cluster-gpu; do
    [ -r "$checkout/$profile.toml" ] || refuse "$checkout/$profile.toml is missing"
done
# An environment that is active now counts, if Flower is in it; the job looks for others.
environment=''
for place in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
    [ -n "$environment" ] || [ ! -x "$place/bin/flwr" ] || environment=$place
done

requests() {
    # SLURM replaces % in file names, and reads the value as a shell would.
    printf '#SBATCH --job-name=glean\n#SBATCH --output="%s/logs/job_%%j.out"\n' "${HOME//%/%%}"
    printf '#SBATCH --nodes=%s\n#SBATCH --ntasks-per-node=1\n' "$nodes"
    printf '#SBATCH --cpus-per-task=%s\n' "$cpus"
    [ -z "$mem" ] || printf '#SBATCH --mem=%s\n' "$mem"
    [ -z "$time" ] || printf '#SBATCH --time=%s\n' "$time"
    [ -z "$partition" ] || printf '#SBATCH --partition=%s\n' "$partition"
    [ -z "$gpus" ] || printf '#SBATCH --gres=gpu:%s\n' "$gpus"
}

batch_script() {
    printf '#!/bin/bash\n'
    requests
    printf '\n# What this job runs, where, and with what.\n'
    printf 'command=%s\n' "$(quote "$command")"
    printf 'folder=%s\n' "$(quote "$PWD")"
    printf 'checkout=%s\n' "$(quote "$checkout")"
    printf 'environment=%s\n' "$(quote "$environment")"
    printf 'flower_config=%s\n' "$(quote "${FLWR_HOME:-$HOME/.flwr}/config.toml")"
    printf 'logs=%s\n' "$(quote "$HOME/logs")"
    printf 'gpu=%s\n' "${gpus:+yes}"
    printf '\nwrite_profiles() {\n'
    for profile in cluster-cpu cluster-gpu; do
        printf "    cat >\"\$scratch/%s.toml\" <<'END_OF_PROFILE'\n" "$profile"
        cat "$checkout/$profile.toml"
        printf 'END_OF_PROFILE\n'
    done
    printf '}\n\n'
    job
}

# The part of the batch script that is the same in every job.
job() {
    cat <<'END_OF_JOB'
set -u

fail() {
    printf 'submit-job.sh: %s\n' "$*" >&2
    exit 1
}

# --- The end of everything that the job started -------------------------------------------------

# Flower's and Ray's daemons lose their parents; all carry this mark in their environment, though.
# (SPT_NOENV: Ray's workers would write their titles over it.)
export GLEAN_JOB_MARK="$SLURM_JOB_ID-$RANDOM$RANDOM" SPT_NOENV=1

# marked MARK: this node's processes that carry it.
marked() {
    env -u GLEAN_JOB_MARK grep -lzxF "GLEAN_JOB_MARK=$1" /proc/[0-9]*/environ 2>/dev/null
}

# end_processes SIGNAL MARK: waits up to five seconds until they are gone.
end_processes() {
    local files
    mapfile -t files < <(marked "$2")
    [ ${#files[@]} -gt 0 ] || return 0
    kill -s "$1" "${files[@]//[!0-9]/}" 2>/dev/null
    for _ in {1..25}; do
        [ -n "$(marked "$2")" ] || return 0
        sleep 0.2
    done
}

# Ray isn't asked politely: it has nothing to save, and hangs when it's asked twice, as at a
# scancel, where SLURM asks too.
end_ray() {
    end_processes KILL "$GLEAN_JOB_MARK-ray-$SLURMD_NODENAME"
}

workers=()
finish() {
    local status=$?
    trap '' TERM INT HUP
    disown -a
    cd /
    if [ ${#workers[@]} -gt 0 ]; then
        # Goes to steps only: the end of Ray, and the signal for `work` to clean up.
        scancel --signal=USR1 "$SLURM_JOB_ID" 2>/dev/null
        for _ in {1..50}; do
            kill -0 "${workers[@]}" 2>/dev/null || break
            sleep 0.2
        done
    fi
    end_processes TERM "$GLEAN_JOB_MARK"
    end_processes KILL "$GLEAN_JOB_MARK"
    end_ray
    if [ "$status" -ne 0 ] && [ -s "${FLWR_HOME:-}/local-superlink/superlink.log" ]; then
        cp "$FLWR_HOME/local-superlink/superlink.log" "$logs/job_$SLURM_JOB_ID.superlink.log"
        echo "Flower's own log: $logs/job_$SLURM_JOB_ID.superlink.log"
    fi
    rm -rf "${RAY_TMPDIR:-}" "${scratch:-}"
    exit "$status"
}

# --- Ray, on every node of the job ---------------------------------------------------------------

# The address by which SLURM knows a node; where that's this node's loopback, one that others see.
address_of() {
    local name address
    name=$(scontrol --oneliner show node "$1" | grep -o ' NodeAddr=[^ ]*')
    address=$(getent ahostsv4 "${name#*=}" | awk 'NR == 1 { print $1 }')
    case $address in
    '' | 127.*) address=$(hostname -I | tr ' ' '\n' | grep -m 1 '^[0-9.]*$') ;;
    esac
    printf '%s\n' "${address:-127.0.0.1}"
}

# SLURM numbers AMD's GPUs in ROCR_VISIBLE_DEVICES. Ray wants HIP_VISIBLE_DEVICES beside it, which
# counts among those; SLURM's other variables, if it sets them too, would count so once more.
choose_gpus() {
    [ -n "${ROCR_VISIBLE_DEVICES:-}" ] || return 0
    if [ -e /dev/kfd ] || [ -z "${CUDA_VISIBLE_DEVICES:-}" ]; then
        unset CUDA_VISIBLE_DEVICES GPU_DEVICE_ORDINAL
        HIP_VISIBLE_DEVICES=$(seq -s , 0 $((SLURM_GPUS_ON_NODE - 1)))
        export HIP_VISIBLE_DEVICES
    else
        unset ROCR_VISIBLE_DEVICES
    fi
}

# start_ray WORDS...: this node's part of Ray, until it's ended. All ports but the head's two are
# chosen by the kernel, so that jobs (and nodes, in the tests) on one machine don't meet.
start_ray() {
    GLEAN_JOB_MARK="$GLEAN_JOB_MARK-ray-$SLURMD_NODENAME" ray start --block \
        --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" \
        --resources="{\"slurm:$SLURMD_NODENAME\": 1}" --min-worker-port=0 --max-worker-port=0 \
        --dashboard-agent-listen-port=0 "$@"
}

wait_for_head() {
    while ! (exec 3<>"/dev/tcp/${RAY_ADDRESS%:*}/${RAY_ADDRESS#*:}") 2>/dev/null; do
        [ "$(date +%s)" -lt "$RAY_DEADLINE" ] || return 1
        [ -z "${ray_head:-}" ] || kill -0 "$ray_head" 2>/dev/null || return 1
        sleep 0.5
    done
}

# What srun runs on each further node.
work() {
    # Not local: the trap of EXIT is run outside of this function.
    own=''
    # Two nodes on one machine, as in the tests, share the folder.
    mkdir -m 700 "$RAY_TMPDIR" 2>/dev/null && own=$RAY_TMPDIR
    trap 'end_ray; rm -rf "$own"; exit 0' TERM USR1 EXIT
    choose_gpus
    wait_for_head || exit 1
    start_ray --address="$RAY_ADDRESS" --node-ip-address="$(address_of "$SLURMD_NODENAME")" &
    wait $!
}

start_cluster() {
    local head=127.0.0.1 name
    [ ${#nodes[@]} -eq 1 ] || head=$(address_of "$SLURMD_NODENAME")
    RAY_DEADLINE=$(($(date +%s) + 100))
    RAY_TMPDIR=$(mktemp -d "/tmp/glean-$SLURM_JOB_ID-XXXXXX") || fail 'no room in /tmp for what Ray writes'
    # Others on this network may neither look into the job's Ray nor run anything in it.
    RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    export RAY_TMPDIR RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_ADDRESS="$head:$ray_port"
    export RAY_DEADLINE RAY_USAGE_STATS_ENABLED=0 RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0
    # The check is Ray's first user and needs no workers.
    export RAY_prestart_worker_first_driver=0
    start_ray --head --port="$ray_port" --node-ip-address="$head" --temp-dir="$RAY_TMPDIR" \
        --include-dashboard=false --ray-client-server-port="$client_port" &>"$scratch/ray-head.log" &
    ray_head=$!
    for name in "${nodes[@]:1}"; do
        srun --nodes=1 --ntasks=1 --nodelist="$name" --cpus-per-task="$SLURM_CPUS_PER_TASK" \
            --overlap --export=ALL --mpi=none --kill-on-bad-exit=0 \
            bash -c "set -u; $(declare -f marked end_processes end_ray choose_gpus address_of \
                start_ray wait_for_head work); work" &>"$scratch/ray-$name.log" &
        workers+=($!)
    done
}

check_cluster() {
    local starters=("$ray_head" ${workers[@]+"${workers[@]}"}) words=() place
    for place in "${!nodes[@]}"; do
        words+=("${nodes[place]}=${starters[place]}")
    done
    if ! wait_for_head || ! timeout 110 python3 "$scratch/cluster.py" "${words[@]}"; then
        tail -n 20 "$scratch"/ray-*.log
        fail "Ray isn't complete on ${nodes[*]}"
    fi
}

write_cluster_check() {
    cat >"$scratch/cluster.py" <<'END_OF_PYTHON'
"""Wait until Ray has all nodes of the job; name those that don't come.

Words: NODE=PID, where PID is the process that starts Ray there.
"""

import os
import sys
import time

import ray

starters = dict(word.rsplit("=", 1) for word in sys.argv[1:])
ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level="ERROR")
while True:
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    missing = [name for name in starters if not any(f"slurm:{name}" in there for there in alive)]
    if not missing:
        break
    gave_up = [name for name in missing if not os.path.exists(f"/proc/{starters[name]}")]
    if gave_up or time.time() > float(os.environ["RAY_DEADLINE"]):
        sys.exit(f"submit-job.sh: never joined Ray: {', '.join(gave_up or missing)}")
    time.sleep(0.5)
cpus, gpus = (sum(there.get(kind, 0) for there in alive) for kind in ("CPU", "GPU"))
print(f"Ray: {len(alive)} node(s), {cpus:g} CPUs, {gpus:g} GPUs", flush=True)
END_OF_PYTHON
}

# --- Flower --------------------------------------------------------------------------------------

# Found before the user's flwr: follows each run and gives it the profile's resources.
write_wrapper() {
    mkdir "$scratch/bin"
    cat >"$scratch/bin/flwr" <<'END_OF_PYTHON'
#!/usr/bin/env python3
"""Flower's `flwr`; `flwr run` follows its run, with the resources of the job's profile."""

import argparse
import os
import sys
import tomllib
from pathlib import Path


def added(words):
    """What this job adds to the words of `flwr run`."""
    parser = argparse.ArgumentParser(prog="flwr run", add_help=False, allow_abbrev=False)
    parser.add_argument("places", nargs="*")
    parser.add_argument("--stream", action="store_true")
    for option in ("--run-config", "-c", "--federation", "--federation-config", "--format"):
        parser.add_argument(option)
    given, _ = parser.parse_known_intermixed_args(words)
    app, connection = [*given.places, *(".", None)[len(given.places) :]][:2]
    follow = [] if given.stream or given.format == "json" else ["--stream"]
    if given.federation_config or not is_local(connection):
        return follow
    return [*follow, "--federation-config", str(profile(Path(app), connection))]


def is_local(connection):
    """Whether it's this job's own SuperLink, not one elsewhere that has resources of its own."""
    config = Path(os.environ["FLWR_HOME"], "config.toml").read_text(encoding="utf-8")
    known = tomllib.loads(config).get("superlink", {})
    found = known.get(connection or known.get("default"))
    return isinstance(found, dict) and found.get("address", ":local").startswith(":local")


def profile(app, connection):
    """The app's own profile, or the one beside submit-job.sh when the job was submitted."""
    gpu = connection == "cluster-gpu" or os.environ.get("GLEAN_DEVICE") == "gpu"
    name = "cluster-gpu.toml" if gpu else "cluster-cpu.toml"
    scratch = Path(os.environ["GLEAN_JOB_SCRATCH"])
    lines = (app if (app / name).is_file() else scratch).joinpath(name).read_text(encoding="utf-8")
    # Flower refuses these where Ray runs already.
    kept = [line for line in lines.splitlines() if not line.lstrip().startswith("init-args-num-")]
    (scratch / "profile.toml").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return scratch / "profile.toml"


flwr, words = os.environ["GLEAN_JOB_FLWR"], sys.argv[1:]
if words[:1] == ["run"] and not {"--help", "-h"} & set(words):
    words[1:1] = added(words[1:])
os.execv(flwr, [flwr, *words])
END_OF_PYTHON
    chmod +x "$scratch/bin/flwr"
}

# Flower says by `flwr list` only how its runs went.
write_watch() {
    cat >"$scratch/runs.py" <<'END_OF_PYTHON'
"""Wait until no run of the job's SuperLink is active; exit with 1 unless all completed."""

import json
import os
import subprocess
import sys
import time

words = [os.environ["GLEAN_JOB_FLWR"], "list", "this-job", "--limit", "1000", "--format", "json"]
pause_s = 1.0
while True:
    answer = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    try:
        runs = json.loads(answer.stdout[answer.stdout.find("{") :])["runs"]
    except (ValueError, KeyError):
        sys.exit(f"submit-job.sh: the SuperLink is gone: {answer.stdout}{answer.stderr}")
    if all(run["status"].startswith("finished") for run in runs):
        break
    time.sleep(pause_s)
    pause_s = min(1.5 * pause_s, 20.0)
for run in runs:
    print(f"run {run['run-id']}: {run['status']}")
sys.exit(any(run["status"] != "finished:completed" for run in runs))
END_OF_PYTHON
}

set_up_flower() {
    export FLWR_HOME="$scratch/flwr" FLWR_DISABLE_UPDATE_CHECK=1
    export FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION=1
    export FLWR_LOCAL_SUPERLINK_HTTP_API_PORT="$http_port"
    export FLWR_LOCAL_CONTROL_API_PORT="$control_port"
    GLEAN_JOB_FLWR=$(command -v flwr) || return 0
    export GLEAN_JOB_FLWR
    mkdir "$FLWR_HOME"
    [ ! -e "$flower_config" ] || cp "$flower_config" "$FLWR_HOME/config.toml"
    if command -v glean >/dev/null; then
        glean setup >"$scratch/setup.log" 2>&1 || fail "glean setup: $(cat "$scratch/setup.log")"
    else
        flwr config list >/dev/null
    fi
    # The job's SuperLink needs no database, which wouldn't do well on a network's file system.
    sed -i "s/:local:\(['\"]\)/:local-in-memory:\1/" "$FLWR_HOME/config.toml"
    printf '\n[superlink.this-job]\naddress = "127.0.0.1:%s"\ninsecure = true\n' "$http_port" \
        >>"$FLWR_HOME/config.toml"
    # Flower gives its SuperLink 15 s to start, which a first reading of all its files may take.
    flower-superlink --version >/dev/null
    write_wrapper
    PATH=$scratch/bin:$PATH
}

# --- The job ---------------------------------------------------------------------------------------

cd -- "$folder" || fail "$folder isn't there on $SLURMD_NODENAME"
scratch=$(mktemp -d "$logs/.job_${SLURM_JOB_ID}_XXXXXX") || fail "$logs isn't there or is full"
trap finish EXIT
trap 'exit 143' TERM INT HUP

# The project is where the command goes first.
project=$folder
if [[ $command =~ ^[[:space:]]*(cd[[:space:]][^\;\&\|]*)(\&\&|\;) ]]; then
    project=$(eval "${BASH_REMATCH[1]}" >/dev/null && pwd) || project=$folder
fi
for place in "$environment" "$project/.venv" "$checkout/.venv"; do
    if [ -x "$place/bin/flwr" ]; then
        export VIRTUAL_ENV="$place" PATH="$place/bin:$PATH"
        break
    fi
done
# Neither another's Ray nor the user's own SuperLink is this job's.
unset PYTHONHOME RAY_ADDRESS FLWR_HOME
export OMP_NUM_THREADS=1 GLEAN_JOB_SCRATCH="$scratch"
[ -z "$gpu" ] || export GLEAN_DEVICE=gpu
choose_gpus

# Below the kernel's own, so that none is taken between now and its use.
read -r ray_port client_port http_port control_port < <(python3 - <<'END_OF_PYTHON'
import random
import socket


def is_free(port):
    with socket.socket() as found:
        try:
            found.bind(("", port))
        except OSError:
            return False
    return True


print(*[port for port in random.sample(range(20000, 32000), 200) if is_free(port)][:4])
END_OF_PYTHON
) || fail "no python3 on $SLURMD_NODENAME: activate an environment with Flower before you submit"

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
write_profiles
write_cluster_check
write_watch
[ ${#nodes[@]} -eq 1 ] || command -v ray >/dev/null || fail "no Ray on $SLURMD_NODENAME"
! command -v ray >/dev/null || start_cluster
set_up_flower
[ -z "${ray_head:-}" ] || check_cluster

# shellcheck disable=SC2016 # for the other shell
printf '%s\nlast=$?\nwait\nexit $last\n' "$command" >"$scratch/command.sh"
bash "$scratch/command.sh" &
wait $!
status=$?
if [ -e "$FLWR_HOME/local-superlink/superlink.log" ]; then
    python3 "$scratch/runs.py" &
    wait $! || status=$((status ? status : 1))
fi
exit "$status"
END_OF_JOB
}

if [ -n "$dry_run" ]; then
    batch_script
    exit 0
fi
command -v sbatch >/dev/null ||
    refuse 'sbatch is missing: submit from a login node of a SLURM cluster, or try --dry-run'
mkdir -p "$HOME/logs"

# What sbatch takes from the environment would beat what stands in the script.
unset SBATCH_JOB_NAME SBATCH_OUTPUT SBATCH_ERROR SBATCH_ARRAY_INX SBATCH_WAIT
[ -z "$mem" ] || unset SBATCH_MEM_PER_NODE SBATCH_MEM_PER_CPU SBATCH_MEM_PER_GPU
[ -z "$time" ] || unset SBATCH_TIMELIMIT
[ -z "$partition" ] || unset SBATCH_PARTITION
[ -z "$gpus" ] || unset SBATCH_GRES SBATCH_GPUS SBATCH_GPUS_PER_NODE SBATCH_GPUS_PER_TASK
# Of a job in which this is typed, nothing belongs into the new one.
for name in "${!SLURM_@}"; do
    case $name in SLURM_CONF* | SLURM_CLUSTERS) ;; *) unset "$name" ;; esac
done

# A pipe, so that the number is told at once and waiting goes on.
exec {answer}< <(batch_script | sbatch --parsable ${wait:+--wait})
sbatch=$!
if ! IFS= read -r -u "$answer" job; then
    status=0
    wait "$sbatch" || status=$?
    exit "$((status ? status : 1))"
fi
job=${job%%;*}
log=$HOME/logs/job_$job.out
printf 'job %s is submitted\nlog:    %s\nfollow: tail -F %s\ncancel: scancel %s\n' \
    "$job" "$log" "$(printf '%q' "$log")" "$job"
[ -n "$wait" ] || exit 0
status=0
wait "$sbatch" || status=$?
echo "job $job ended with exit code $status"
exit "$status"
