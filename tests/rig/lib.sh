# shellcheck shell=bash
# What the rig's scripts share: its settings, its words, and how a process gets into the box.
#
# Settings, by environment variables of these names:
#   RIG            the one folder with everything that a running rig keeps     target/rig
#   RIG_PEERS      where programs and images are built to                      target/peers
#   RIG_LINK       name of the host's end of the cable into the box            rigbox
#   RIG_HOST_IP    address of that end, the first of a /30                     10.87.0.1
#   RIG_BOX_IP     address of the box's end, the second of that /30            10.87.0.2
# A second rig beside the first needs another RIG, RIG_LINK, RIG_HOST_IP and RIG_BOX_IP.

rig_scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$rig_scripts/../.." && pwd)
RIG=$(realpath -m "${RIG:-$repository/target/rig}")
RIG_PEERS=$(realpath -m "${RIG_PEERS:-$repository/target/peers}")
# A rig that is there keeps the settings that it was started with.
if [ -f "$RIG/state/settings" ]; then
    # shellcheck source=/dev/null
    source "$RIG/state/settings"
fi
RIG_LINK=${RIG_LINK:-rigbox}
RIG_HOST_IP=${RIG_HOST_IP:-10.87.0.1}
RIG_BOX_IP=${RIG_BOX_IP:-10.87.0.2}
export RIG RIG_PEERS RIG_LINK RIG_HOST_IP RIG_BOX_IP

# Programs of the rig come first: Debian has an etcd that is too old, and a user may have any kubectl.
# The servers' own folders are missing from some users' PATH.
PATH=$RIG_PEERS/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# The box's address in the network of the pods, and the resolver there.
gateway=10.88.0.1

# What can be reached from the host is on the box's end of the cable.
argocd_port=8080
git_port=3000
jaeger_port=16686
prometheus_port=9090

# The exit code for "cannot be had on this machine" (EX_UNAVAILABLE): no root, no Go, no network.
unavailable=69

say() { printf 'rig: %s\n' "$*"; }

# not_here REASON: ends with the code that tells a machine that cannot run the rig from a rig that broke.
not_here() {
    printf 'rig: not on this machine: %s\n' "$*" >&2
    exit "$unavailable"
}

fail() {
    printf 'rig: %s\n' "$*" >&2
    exit 1
}

# Ends with `not_here` on a machine that can never run the rig.
check_machine() {
    [ "$(uname -s)" = Linux ] || not_here "needs Linux"
    [ "$(id -u)" = 0 ] || not_here "needs root, for namespaces, network and containers"
    unshare --net --mount --pid --uts --ipc --fork --mount-proc true 2>/dev/null ||
        not_here "needs the right to make namespaces (unshare fails)"
}

# A process is known by its id and the time of its start: ids are used again.
birth() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null; }

# is_alive FILE: the process that `remember` wrote into the file is still there.
is_alive() {
    local pid started
    [ -f "$1" ] && read -r pid started <"$1" && [ "$(birth "$pid")" = "$started" ]
}

remember() { printf '%s %s\n' "$2" "$(birth "$2")" >"$1"; }

is_up() { is_alive "$RIG/state/init"; }

# in_box COMMAND...: runs it in all of the box's namespaces; it ends with the box at the latest.
in_box() {
    local init
    read -r init _ <"$RIG/state/init"
    nsenter --target "$init" --net --mount --pid --uts --ipc -- "$@"
}

# wait_for SECONDS LOG COMMAND...: until the command succeeds; what the log ends with, if it never does.
wait_for() {
    local end=$((SECONDS + $1)) log=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            tail -n 5 "$RIG/logs/$log.log" >&2
            fail "not ready in time: $*; see $RIG/logs/$log.log"
        fi
        sleep 0.1
    done
}

# start NAME COMMAND...: a server in the box, unless it runs already.
start() {
    local name=$1
    shift
    mkdir -p "$RIG/state/pids"
    if [ -f "$RIG/state/pids/$name" ] && in_box test -e "/proc/$(cat "$RIG/state/pids/$name")"; then
        return
    fi
    # The id is that in the box. The shell is replaced by the server, a child of the box's first process: an
    # `nsenter` that waited for it would stop with it, and hold the box when it ends.
    # shellcheck disable=SC2016
    in_box setsid --fork sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$RIG/state/pids/$name" "$@" \
        >"$RIG/logs/$name.log" 2>&1 </dev/null
}

kube() { kubectl --kubeconfig "$RIG/kubeconfig" "$@"; }

# Where our own programs are built for pods: without a C library that an image would have to bring.
rust_target=$(uname -m)-unknown-linux-gnu
built=${CARGO_TARGET_DIR:-$repository/target}/$rust_target/rig

# Raise it when a recipe in `build` or `image` changes: what is there was made by the old one.
recipe=1

# part NAME OUTPUT SOURCE...: true if OUTPUT has to be made (again) from these sources.
part() {
    local name=$1 output=$2 now
    shift 2
    now=$(cat - "$@" <<<"$recipe" | sha256sum)
    stamp=$RIG_PEERS/stamps/$name
    [ ! -e "$output" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$now" ] || return 1
    rm -f "$stamp"
    stamped=$now
    say "building $name"
}

# made: what `part` asked for is there.
made() { printf '%s' "$stamped" >"$stamp"; }
