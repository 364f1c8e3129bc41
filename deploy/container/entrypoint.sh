#!/bin/sh
# The container's first process: settles who owns the work directory, becomes an ordinary user, and runs the server below a small init.
set -eu
# The first process of a container hears only the signals that it asks for.
trap 'exit 143' TERM
trap 'exit 130' INT
readonly ENTRYPOINT=/app/deploy/container/entrypoint.sh
readonly DEFAULT_USER=1000:1000
work_dir=${TASKWEAVER_SERVER_WORK_DIR:-/app/workspace}

main() {
  if [ "$(id -u)" = 0 ] && [ -z "${TASKWEAVER_ENTRYPOINT_USER:-}" ]; then become_user "$@"; fi
  unset TASKWEAVER_ENTRYPOINT_USER
  settle_home
  case "${1:-}" in
  server | -*) check_writable && run_server "$@" ;;
  gateway) run_program "$@" ;;
  *) run "$@" ;;
  esac
}

# Goes on as the owner of the work directory. One that belongs to root was made by the engine for a mount, and is given away.
become_user() {
  mkdir -p "$work_dir" 2>/dev/null || true
  user=$(stat -c %u:%g "$work_dir" 2>/dev/null || echo 0:0)
  case "$user" in
  0:*)
    user=$DEFAULT_USER
    chown "$user" "$work_dir" 2>/dev/null || user=0:0
    ;;
  esac
  export TASKWEAVER_ENTRYPOINT_USER="$user"
  # Groups that the engine was asked to add (--group-add, for devices) stay.
  groups=$(id -G | tr ' ' '\n' | grep -vx 0 | paste -sd, -)
  [ -n "$groups" ] && groups="--groups=$groups" || groups=--clear-groups
  if [ "$user" != 0:0 ] && may_change_user; then
    exec setpriv --reuid="${user%:*}" --regid="${user#*:}" "$groups" --no-new-privs --inh-caps=-all --bounding-set=-all \
      "$ENTRYPOINT" "$@"
  fi
  say "Running as root, since the capabilities to become another user were dropped; name a user: docker run --user UID:GID"
}

may_change_user() {
  setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all true 2>/dev/null
}

# A user that the image does not know has no home, and on a read-only root nobody has one.
settle_home() {
  [ -w "${TMPDIR:-/tmp}" ] || fail "${TMPDIR:-/tmp} is not writable: add --tmpfs /tmp"
  home=$(getent passwd "$(id -u)" | cut -d: -f6)
  if [ -z "$home" ] || ! [ -w "$home" ]; then
    home="${TMPDIR:-/tmp}/home-$(id -u)"
    mkdir -p -m 700 "$home"
  fi
  export HOME="$home"
  USER=$(id -un 2>/dev/null) || USER=taskweaver
  export USER LOGNAME="$USER"
  export MPLCONFIGDIR="${MPLCONFIGDIR:-$HOME/.config/matplotlib}"
  if ! [ -e "$MPLCONFIGDIR" ]; then mkdir -p "$MPLCONFIGDIR" && cp /opt/python/matplotlib/* "$MPLCONFIGDIR/"; fi
}

check_writable() {
  [ -d "$work_dir" ] && [ -w "$work_dir" ] && [ -x "$work_dir" ] && return
  owner=$(stat -c %u:%g "$work_dir" 2>/dev/null || echo nobody)
  fail "The user $(id -u):$(id -g) may not write to $work_dir, which belongs to $owner: change the owner of the mounted folder, or name its owner by --user."
}

run_server() {
  [ "$1" = server ] || set -- server "$@"
  run_program "$@"
}

run_program() { run node /app/dist/cli/main.js "$@"; }

# An init takes in the processes that kernels leave behind; where the engine has put its own in front, that one does.
run() {
  if [ $$ = 1 ]; then exec tini -- "$@"; fi
  exec "$@"
}

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 2
}

main "$@"
