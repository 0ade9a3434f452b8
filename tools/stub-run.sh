# A plan of Compose's ports starts nothing.
if [ "${1-}" = run ] || { [ "${1-}" = compose ] && [ "${2-}" != plan ]; }; then
  # This process becomes the command, so that signals, job control, descriptors, limits and status are the command's own.
  # Node works out the variables beside it and writes shell commands into a file that has no name any more. In the
  # background, because only then does a shell act on a signal at once.
  unset mask name pid scratch script status
  pid= scratch=
  finish() {
    [ -z "$pid" ] || { kill "$pid"; wait "$pid"; } 2> /dev/null || :
    [ -z "$scratch" ] || rm -rf "$scratch"
    trap - "$1"
    kill -s "$1" "$$"
    # Some shells live on after a QUIT.
    exit "$2"
  }
  trap 'finish HUP 129' HUP
  trap 'finish INT 130' INT
  trap 'finish QUIT 131' QUIT
  trap 'finish TERM 143' TERM
  # Whether this process ignores (SigIgn) or blocks (SigBlk) a signal, where the system tells.
  has() {
    while read -r name mask; do
      case $name in "$1":) return $((!(0x${mask#????????} >> $2 - 1 & 1))) ;; esac
    done 2> /dev/null < /proc/self/status
    return 1
  }
  # Whether an exit status tells of a signal that this process ignores; Node does not.
  ignored() {
    case $1 in 129 | 130 | 131 | 143) has SigIgn "$(($1 - 128))" ;; *) return 1 ;; esac
  }
  work_out() {
    unset @HIDDEN@
    PORTCTL_EXEC_FD=9 PORTCTL_EXEC_PID=$$
    export PORTCTL_EXEC_FD PORTCTL_EXEC_PID
    exec "$node" @FLAGS@ "$folder/@NAME@.cjs" "$@"
  }
  make_scratch() {
    scratch=$(mktemp -d "$1/portctl-XXXXXX" 2> /dev/null)
  }
  # What TMPDIR names may be gone: the folder of a nix-shell, a job, an older login.
  make_scratch "${TMPDIR:-/tmp}" || make_scratch /tmp || make_scratch "${XDG_RUNTIME_DIR:-/var/tmp}" ||
    make_scratch /var/tmp || make_scratch /dev/shm || {
    printf 'error: cannot make a folder for temporary files in %s, /tmp, /var/tmp or /dev/shm: %s\n' \
      "${TMPDIR:-/tmp}" "set TMPDIR to one that can be written" >&2
    exit 1
  }
  {
    rm -rf "$scratch"
    while :; do
      status=0
      # With SIGCHLD blocked, some shells never learn that a process in the background has ended.
      if has SigBlk 17; then
        trap - HUP INT QUIT TERM
        (work_out "$@") || status=$?
        break
      fi
      work_out "$@" &
      pid=$!
      # Shells tell on stderr how it ended.
      wait "$pid" 2> /dev/null || status=$?
      ignored "$status" || break
    done
    pid=
    script=$(cat <&8)
  } 9> "$scratch/script" 8< "$scratch/script"
  [ "$status" = 0 ] && [ -n "$script" ] || exit "$status"
  eval "$script"
  exec "$@"
fi
