# What every program has in common: its settings, its streams, its log.

load helper

# complains VARIABLE=VALUE… : every program ends with 78 and one line that names the first variable.
complains() {
  local name=${1%%=*} value=${1#*=} program line
  for program in $(programs); do
    exit_status=0
    line=$(env "$@" REQUEST_METHOD=GET REQUEST_URI=/ready "$TODO_BIN/$program" 2>&1 </dev/null) || exit_status=$?
    [ "$exit_status" = 78 ] || { echo "$program: exit $exit_status"; return 1; }
    [[ $line == *"$name"* && $line != *$'\n'* ]] || { echo "$program: $line"; return 1; }
    [[ -z $value || $line != *"$value"* ]] || { echo "$program shows the value"; return 1; }
  done
}

@test "a secret that is missing, short or Better Auth's public default stops every program" {
  complains BETTER_AUTH_SECRET=
  complains BETTER_AUTH_SECRET=too-short-to-be-safe
  complains BETTER_AUTH_SECRET=better-auth-secret-12345678901234567890
}

@test "a DATABASE_URL that is missing or no PostgreSQL URL stops every program" {
  complains DATABASE_URL=
  complains DATABASE_URL=mysql://user:hidden@host/db
  complains DATABASE_URL=postgresql://user:hid%zzen@host/db
}

@test "any other setting that is wrong stops every program" {
  complains BETTER_AUTH_URL=nonsense
  complains JWT_ALGORITHM=none
  complains AUTH_SESSION_EXPIRES_IN=soon
  complains SMTP_URL=ftp://mail
}

@test "--check is silent with good settings, --route prints what routes.tsv has" {
  for program in $(programs); do
    run "$TODO_BIN/$program" --check
    [ "$status" -eq 0 ]
    [ -z "$output" ]
  done
  for program in $(routed); do "$TODO_BIN/$program" --route; done | sort >"$BATS_TEST_TMPDIR/routes"
  sort "$TODO_BUILD/routes.tsv" | diff - "$BATS_TEST_TMPDIR/routes"
}

@test "every program is one of nginx's map, and every route leads to its program" {
  while IFS=$'\t' read -r program methods pattern; do
    [ -x "$TODO_BIN/$program" ]
    [[ $methods =~ ^[A-Z,]+$ && $pattern == [/{\(]* ]]
  done <"$TODO_BUILD/routes.tsv"
}

@test "without a request a program prints help and ends with 2, whatever its input is" {
  for program in $(routed) fallback; do
    for input in /dev/null "$TODO_ROOT/README.md"; do
      run env -u REQUEST_METHOD "$TODO_BIN/$program" <"$input"
      [ "$status" -eq 2 ]
      [[ $output == *'plain CGI'* ]]
    done
    run bash -c "exec '$TODO_BIN/$program' <&-"
    [ "$status" -eq 2 ]
    run bash -c "echo x | '$TODO_BIN/$program'"
    [ "$status" -eq 2 ]
  done
}

@test "an output that cannot be written is exit 1 and one line" {
  for output in /dev/full; do
    exit_status=0
    line=$(REQUEST_METHOD=GET REQUEST_URI=/health "$TODO_BIN/health" 2>&1 >"$output" </dev/null) || exit_status=$?
    [ "$exit_status" = 1 ]
    [[ $line == *'could not be written'* ]]
  done
}

@test "a database that is away is 503 with Retry-After, and its cause is in the log only" {
  as_user
  begin=$SECONDS
  for url in postgresql://user:hidden@127.0.0.1:1/db "postgresql:///db?host=/nowhere"; do
    DATABASE_URL=$url call task_list GET /api/tasks
    [ "$status" = 503 ]
    [[ $headers == *'Retry-After: 2'* ]]
    [ "$(field .error)" = unavailable ]
    [[ $log == *'cannot connect'* && $log != *hidden* ]]
    [[ $body != *127.0.0.1* && $body != *nowhere* ]]
    DATABASE_URL=$url call health GET /ready
    [ "$status" = 503 ]
    [ "$(field .checks.database)" = failed ]
    DATABASE_URL=$url call health GET /health
    [ "$status" = 200 ]
  done
  [ $((SECONDS - begin)) -lt 10 ]
}

@test "a refused token costs no database connection" {
  for authorization in '' 'Bearer x.y.z' "Bearer $(token someone)x"; do
    DATABASE_URL=postgresql://127.0.0.1:1/db HTTP_AUTHORIZATION=$authorization call task_list GET /api/tasks
    [ "$status" = 401 ]
  done
}

@test "a database without our tables is 500, said in the log, and not ready" {
  as_user
  url=${DATABASE_URL/\/todo\?//postgres?}
  DATABASE_URL=$url call task_list GET /api/tasks
  [ "$status" = 500 ]
  [ "$(field .error)" = internal_error ]
  [[ $log == *42P01* ]]
  DATABASE_URL=$url call health GET /ready
  [ "$status" = 503 ]
  [ "$(field .checks.schema)" = failed ]
}

@test "the log is one line of JSON for a request, without anything that is secret or personal" {
  as_user personal-user-id
  call task_create POST "/api/personal-user-id/tasks?search=secret-query" '{"title":"secret title"}'
  [ "$(printf '%s\n' "$log" | wc -l)" -eq 1 ]
  [ "$(printf '%s' "$log" | jq -r '[.route, .method, .path, .status] | join(" ")')" = 'task_create POST /api/{user_id}/tasks 201' ]
  [ "$(printf '%s' "$log" | jq -r '.user | length')" = 16 ]
  [[ $log != *secret* && $log != *personal* && $log != *Bearer* ]]
  HTTP_COOKIE=better-auth.session_token=cookie-value call signin POST /api/auth/sign-in/email \
    '{"email":"person@example.com","password":"pass-word-text"}'
  [[ $log != *person* && $log != *pass-word* && $log != *cookie* ]]
  call password_reset GET '/api/auth/reset-password/resettokenresettoken1234?callbackURL=/x'
  [[ $log != *resettoken* ]]
  call fallback GET '/api/auth/reset-password/resettokenresettoken1234/'
  [[ $log != *resettoken* ]]
}

@test "a request id that is safe is taken over, another is replaced" {
  HTTP_X_REQUEST_ID=abc-123 call health GET /health
  [[ $headers == *'X-Request-Id: abc-123'* ]]
  HTTP_X_REQUEST_ID=$'a\nSet-Cookie: b' call health GET /health
  [[ $headers != *Set-Cookie* ]]
}

@test "PG variables of the environment do not change which database is used" {
  as_user
  PGHOST=/nowhere PGPORT=1 PGOPTIONS='-c search_path=nowhere' PGUSER=nobody call task_list GET /api/tasks
  [ "$status" = 200 ]
}
