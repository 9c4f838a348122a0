# The embedded run: env/embedded, which is what `make run`, `start`, `stop` and `status` call.

load helper

setup() {
  OWN_STATE=$(mktemp -d)
  OWN_PORT=$(free_port)
}

teardown() {
  embedded "$TODO_ROOT/env/embedded" stop
  rm -rf "$OWN_STATE"
}

start() { embedded "$@" "$TODO_ROOT/env/embedded" start; }

# The run folder of the instance, as env/embedded names it.
run_folder() {
  local base=${XDG_RUNTIME_DIR:-/tmp}
  [ "$EUID" -ne 0 ] || base=/run
  printf '%s/todo-fcgi-%s' "$base" "$(printf '%s' "$OWN_STATE" | sha256sum | cut -c 1-12)"
}

@test "start answers at its URL, again does nothing, and stop leaves nothing running; data stays" {
  start
  run start
  [ "$status" -eq 0 ]
  [[ $output == *"running at http://127.0.0.1:$OWN_PORT"* ]]
  embedded "$TODO_ROOT/env/embedded" status
  source "$OWN_STATE/env"
  authorization="Authorization: Bearer $(token someone "$BETTER_AUTH_SECRET")"
  curl -sf -H "$authorization" -H 'Content-Type: application/json' -d '{"title":"stays"}' "http://127.0.0.1:$OWN_PORT/api/tasks"
  folder=$(run_folder)
  [ -d "$folder" ]
  embedded "$TODO_ROOT/env/embedded" stop
  [ ! -e "$folder" ]
  ! pgrep -f "$folder"
  ! curl -s "http://127.0.0.1:$OWN_PORT/health"
  start
  curl -sf -H "$authorization" "http://127.0.0.1:$OWN_PORT/api/tasks" | grep -q '"title":"stays"'
}

@test "what joins by STATE_DIR/env reaches the same database, and nobody else may read the file" {
  start
  [ "$(stat -c %a "$OWN_STATE/env")" = 600 ]
  [ "$(stat -c %a "$OWN_STATE/secret")" = 600 ]
  (source "$OWN_STATE/env" && psql --no-psqlrc "$DATABASE_URL" -c 'SELECT count(*) FROM task')
}

@test "a port that is taken: one line says so, and nothing is left" {
  port=${TODO_URL##*:}
  run embedded PORT="$port" "$TODO_ROOT/env/embedded" start
  [ "$status" -eq 1 ]
  [[ $output == *"port $port is taken"* ]]
  ! pgrep -f "$(run_folder)"
}

@test "a short secret, a wrong URL, an unreachable database: one line says what to do" {
  run start BETTER_AUTH_SECRET=short
  [ "$status" -eq 1 ]
  [[ $output == *BETTER_AUTH_SECRET*'at least 32'* ]]
  run start DATABASE_URL=mysql://u:hidden@h/d
  [ "$status" -eq 1 ]
  [[ $output == *DATABASE_URL* && $output != *hidden* ]]
  run start DATABASE_URL=postgresql://u:hidden@127.0.0.1:1/d
  [ "$status" -eq 1 ]
  [[ $output == *'cannot be reached'* && $output != *hidden* ]]
  [ ! -e "$(run_folder)" ]
}

@test "a handler that is killed comes back, and only requests in hand are lost" {
  start
  folder=$(run_folder)
  pkill -KILL -f "^$folder/bin/task_list"
  answered() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$OWN_PORT/api/tasks")" = 401 ]; }
  wait_until 10 answered
  pkill -KILL -f "multiwatch.*$folder/bin/task_create"
  pkill -KILL -f "^$folder/bin/task_create" || true
  created() { [ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$OWN_PORT/api/tasks")" = 401 ]; }
  wait_until 10 created
  wait_until 10 embedded "$TODO_ROOT/env/embedded" status
}

@test "what nginx or the watcher of a program leaves behind when it is killed is ended, and service goes on" {
  start
  folder=$(run_folder)
  master=$(<"$folder/nginx.pid") watcher=$(<"$folder/task_list.pid")
  left=$(pgrep -s "$master,$watcher" | grep -vx "$master\|$watcher")
  [ -n "$left" ]
  kill -KILL "$master" "$watcher"
  ended() { for pid in $left; do [ ! -e "/proc/$pid" ] || return 1; done; }
  wait_until 20 ended
  answered() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$OWN_PORT/api/tasks")" = 401 ]; }
  wait_until 10 answered
  embedded "$TODO_ROOT/env/embedded" status
  kill -KILL "$(<"$folder/nginx.pid")"
  embedded "$TODO_ROOT/env/embedded" stop
  ! pgrep -f "$folder"
  ! curl -s "http://127.0.0.1:$OWN_PORT/health"
}

@test "every task whose creation was answered 201 is there after killed handlers and a restarted database" {
  start
  source "$OWN_STATE/env"
  folder=$(run_folder)
  authorization="Authorization: Bearer $(token ledger "$BETTER_AUTH_SECRET")"
  create() {
    local n
    for ((n = 0; n < 150; n++)); do
      curl -s -m 10 -H "$authorization" -H 'Content-Type: application/json' -d "{\"title\":\"$1-$n\"}" \
        -o /dev/null -w "%{http_code} $1-$n\n" "http://127.0.0.1:$OWN_PORT/api/tasks"
    done >"$OWN_STATE/ledger.$1"
  }
  for stream in a b c; do create "$stream" & done
  sleep 0.4
  pkill -KILL -f "^$folder/bin/task_create"
  sleep 0.4
  kill -INT "$(head -n 1 "$OWN_STATE/postgres/postmaster.pid")"
  wait_until 20 psql --no-psqlrc "$DATABASE_URL" -c 'SELECT 1' >/dev/null 2>&1
  pkill -KILL -f "^$folder/bin/task_create"
  wait
  sed -n 's/^201 //p' "$OWN_STATE"/ledger.* | sort >"$OWN_STATE/acknowledged"
  [ "$(wc -l <"$OWN_STATE/acknowledged")" -gt 50 ]
  psql --no-psqlrc --no-align --tuples-only "$DATABASE_URL" -c "SELECT title FROM task WHERE user_id = 'ledger'" |
    sort >"$OWN_STATE/stored"
  [ "$(sort "$OWN_STATE/stored" | uniq -d | wc -l)" -eq 0 ]
  [ "$(comm -23 "$OWN_STATE/acknowledged" "$OWN_STATE/stored" | wc -l)" -eq 0 ]
  # Service goes on by itself.
  [ "$(curl -s -o /dev/null -w '%{http_code}' -H "$authorization" "http://127.0.0.1:$OWN_PORT/api/tasks")" = 200 ]
}

@test "settings in env/.env are read as data: quotes, export, comments and CRLF; nothing is executed" {
  folder=$(mktemp -d)
  printf 'export PORT="81"\r\n# PORT=82\nBIND=127.0.0.2 # comment\nWORKERS=$(touch %s/executed)\n' "$folder" >"$folder/.env"
  result=$(unset PORT BIND WORKERS && source "$TODO_ROOT/env/settings.sh" && load_settings "$folder" && echo "$PORT $BIND $WORKERS")
  [ "$result" = "81 127.0.0.2 \$(touch $folder/executed)" ]
  [ ! -e "$folder/executed" ]
  rm -rf "$folder"
}

@test "a database of a PostgreSQL that is not installed is named, and nothing is done to it" {
  start
  run embedded "$TODO_ROOT/env/embedded" upgrade
  [ "$status" -eq 1 ]
  [[ $output == *'it runs: env/embedded stop comes first'* ]]
  embedded "$TODO_ROOT/env/embedded" stop
  run embedded "$TODO_ROOT/env/embedded" upgrade
  [ "$status" -eq 0 ]
  [[ $output == *'no newer one is installed'* ]]
  own=$(cat "$OWN_STATE/postgres/PG_VERSION")
  echo 9 >"$OWN_STATE/postgres/PG_VERSION"
  for command in start upgrade; do
    run embedded "$TODO_ROOT/env/embedded" "$command"
    [ "$status" -eq 1 ]
    [[ $output == *'of PostgreSQL 9'*'install'*'postgresql-9'* ]]
  done
  # It is as it was.
  echo "$own" >"$OWN_STATE/postgres/PG_VERSION"
  start
}
