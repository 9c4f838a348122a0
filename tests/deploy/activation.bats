# Programs behind a socket that somebody else keeps: started when they are asked, scaled to zero, started
# anew under load. socket-unit does here what systemd does.

load helper

setup() {
  SCRATCH=$(mktemp -d)
  LOG=$SCRATCH/log
  UNITS=()
  : >"$LOG"
}

teardown() {
  local pid
  for pid in "${UNITS[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${UNITS[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$SCRATCH"
}

# unit SOCKET WORKERS PROGRAM: in the background; its process id is UNIT.
unit() {
  "$TODO_ROOT/tests/deploy/socket-unit" "$SCRATCH/$1" "$LOG" "$2" "$TODO_BIN/$3" 2>>"$SCRATCH/err" 3>&- &
  UNIT=$!
  UNITS+=("$UNIT")
  wait_until 10 test -S "$SCRATCH/$1"
}

events() { grep -c "^$1 " "$LOG" || true; }

activation() { timeout 280 node "$TODO_ROOT/tests/deploy/activation.mjs" "$@"; }

as_somebody() {
  export HTTP_AUTHORIZATION REQUEST_URI=/api/tasks
  HTTP_AUTHORIZATION="Bearer $(token somebody "$BETTER_AUTH_SECRET")"
}

@test "no process runs until a request comes, and that request is answered, a hundred times" {
  as_somebody
  unit s.sock 1 task_list
  [ "$(events started)" -eq 0 ]
  activation cold "$UNIT" "$SCRATCH/s.sock" "$LOG" 100
  [ "$(events started)" -eq 100 ]
}

@test "a hundred idle exits lose no request, and end with status 0" {
  export IDLE_EXIT_SECONDS=1
  sockets=()
  for n in {1..20}; do
    unit "$n.sock" 1 health
    sockets+=("$SCRATCH/$n.sock")
  done
  activation idle "$LOG" 100 "${sockets[@]}"
  [ "$(events ended)" -ge 100 ]
  ! grep '^ended' "$LOG" | grep -qv ' 0$'
}

@test "workers that are started anew under load lose no request" {
  as_somebody
  unit s.sock 4 task_list
  wait_until 10 eval '[ "$(events started)" -eq 4 ]'
  activation load "$UNIT" "$LOG" 10 "$SCRATCH/s.sock"
  # 15: SIGTERM came before the program had begun to listen for it, and so before it had a request.
  ! grep '^ended' "$LOG" | grep -qvE ' (0|15)$'
}

@test "workers that end after MAX_REQUESTS lose no request" {
  export MAX_REQUESTS=10
  unit s.sock 1 health
  activation ask "$SCRATCH/s.sock" 100
  [ "$(events ended)" -ge 9 ]
  ! grep '^ended' "$LOG" | grep -qv ' 0$'
}

@test "workers that are killed under load do lose requests, so the tests above can fail" {
  as_somebody
  unit s.sock 4 task_list
  timeout 100 node "$TODO_ROOT/tests/deploy/activation.mjs" load "$UNIT" "$LOG" 1000 "$SCRATCH/s.sock" 2>"$SCRATCH/client" 3>&- &
  client=$!
  killed_one() {
    kill -KILL "$(sed -n 's/^started //p' "$LOG" | tail -n 1)" 2>/dev/null || true
    grep -q '^lost' "$SCRATCH/client"
  }
  wait_until 60 killed_one
  kill "$client"
  wait "$client" || true
}
