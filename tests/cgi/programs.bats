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
  complains BETTER_AUTH_URL=ftp://todo.example.com
  complains JWT_ALGORITHM=none
  complains AUTH_SESSION_EXPIRES_IN=soon
  complains SMTP_URL=ftp://mail
}

@test "each setting that is wrong is named in one line, without its value, also by --check" {
  local setting line
  for setting in BETTER_AUTH_SECRETS=two:zq-entry BETTER_AUTH_SECRETS=2:zq-short \
    DATABASE_URL=postgresql://user:zq-pass@[::1/db BETTER_AUTH_URL=http:// AUTH_BASE_PATH=zq \
    AUTH_COOKIE_PREFIX='zq prefix' JWT_ALGORITHM=zqES256 JWT_KEY_LIFETIME=-1 AUTH_AUTO_SIGN_IN=zqperhaps \
    AUTH_REQUIRE_EMAIL_VERIFICATION=zqmaybe AUTH_MIN_PASSWORD_LENGTH=0 AUTH_MAX_PASSWORD_LENGTH=1zq \
    AUTH_SESSION_UPDATE_AGE=1zq AUTH_SESSION_FRESH_AGE=zqfresh AUTH_SESSION_EXPIRES_IN=0 AUTH_DELETE_USER=zqask \
    AUTH_CHANGE_EMAIL=zqmaybe AUTH_REVOKE_SESSIONS_ON_RESET=zqmaybe AUTH_RATE_LIMIT=zqslow AUTH_SECURE_COOKIES=zqmaybe \
    SMTP_URL=smtp://user:zq-pass@mail:99999 TODO_MAX_BODY_BYTES=1023 TODO_MAX_BODY_BYTES=99999999999999999999 \
    TODO_ERROR_DETAIL=zqmaybe TODO_CAMEL_CASE=zqmaybe TODO_LIST_ENVELOPE=zqbag LOG_LEVEL=zqloud TODO_SANDBOX=zqsand; do
    for option in '' --check; do
      exit_status=0
      line=$(env "$setting" REQUEST_METHOD=GET REQUEST_URI=/health "$TODO_BIN/health" $option 2>&1 </dev/null) || exit_status=$?
      [ "$exit_status" = 78 ] || { echo "$setting: exit $exit_status, $line"; return 1; }
      [[ $line == "${setting%%=*} "* && $line != *$'\n'* ]] || { echo "$setting: $line"; return 1; }
      [[ $line != *zq* ]] || { echo "$setting: $line"; return 1; }
    done
  done
  # An address that mail comes from is needed with a mail server only.
  exit_status=0
  line=$(SMTP_URL=smtp://localhost MAIL_FROM=nobody "$TODO_BIN/health" --check 2>&1) || exit_status=$?
  [ "$exit_status" = 78 ] && [[ $line == MAIL_FROM\ * && $line != *nobody* ]]
  MAIL_FROM=nobody "$TODO_BIN/health" --check
}

@test "all mistakes are said at once, a line for each" {
  exit_status=0
  lines=$(BETTER_AUTH_SECRET='' DATABASE_URL='' LOG_LEVEL=loud "$TODO_BIN/signin" --check 2>&1) || exit_status=$?
  [ "$exit_status" = 78 ]
  [ "$(printf '%s\n' "$lines" | cut -d ' ' -f 1 | sort | paste -sd,)" = BETTER_AUTH_SECRET,DATABASE_URL,LOG_LEVEL ]
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
  for program in $(routed) fallback; do
    exit_status=0
    line=$(REQUEST_METHOD=GET REQUEST_URI=/nowhere "$TODO_BIN/$program" 2>&1 >/dev/full </dev/null) || exit_status=$?
    [ "$exit_status" = 1 ] || { echo "$program: exit $exit_status"; return 1; }
    [ "$(printf '%s\n' "$line" | grep -c 'could not be written')" -eq 1 ] || { echo "$program: $line"; return 1; }
    # Beside the line of the log, there is only that one.
    [ "$(printf '%s\n' "$line" | grep -vc '^{.*}$')" -le 1 ] || { echo "$program: $line"; return 1; }
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

@test "a database that is away or silent is 503 on every auth route within 5 seconds" {
  email=u$RANDOM$RANDOM$RANDOM@example.com
  call signup POST /api/auth/sign-up/email "{\"name\":\"N\",\"email\":\"$email\",\"password\":\"password123\"}"
  HTTP_COOKIE=$(printf '%s' "$headers" | sed -nE 's/^Set-Cookie: (better-auth\.session_token=[^;]+);.*/\1/p')
  HTTP_ORIGIN=$BETTER_AUTH_URL
  export HTTP_COOKIE HTTP_ORIGIN
  # A server that takes the connection and says nothing.
  exec 9< <(exec python3 -uc 'import socket,time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1]); time.sleep(60)')
  silent=$!
  read -r port <&9
  for url in postgresql://user:hidden@127.0.0.1:1/db "postgresql://user:hidden@127.0.0.1:$port/db"; do
    while read -r program method route body; do
      [[ $url != *:$port/* || $program == session || $program == signin ]] || continue
      begin=$SECONDS
      if [ -n "$body" ]; then
        DATABASE_URL=$url call "$program" "$method" "/api/auth/$route" "$body"
      else
        DATABASE_URL=$url call "$program" "$method" "/api/auth/$route"
      fi
      [ "$status" = 503 ] || { echo "$program $route: $status"; kill "$silent"; return 1; }
      [ $((SECONDS - begin)) -le 5 ] || { echo "$program: $((SECONDS - begin)) s"; kill "$silent"; return 1; }
      [[ $headers == *'Retry-After: '* && $headers != *Set-Cookie* && $log != *hidden* && $body != *127.0.0.1* ]]
    done <<'ROUTES'
signup POST sign-up/email {"name":"N","email":"a@x.co","password":"password123"}
signin POST sign-in/email {"email":"a@x.co","password":"password123"}
signout POST sign-out {}
session GET get-session
sessions GET list-sessions
account GET list-accounts
account POST update-user {"name":"x"}
change_email POST change-email {"newEmail":"a@x.co"}
delete_user POST delete-user {}
password_reset POST reset-password {"newPassword":"password123","token":"x"}
token GET token
jwks GET jwks
ROUTES
  done
  kill "$silent"
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
  [[ $log == *"\"rid\":\"$(field .details.request_id)\""* ]]
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
  # An id that could be a task's number, and a path that is none.
  as_user 4711
  call task_list GET /api/4711/tasks
  [ "$(printf '%s' "$log" | jq -r '.path')" = '/api/{user_id}/tasks' ]
  call fallback GET /api/4711/tasks/1/more
  [ "$(printf '%s' "$log" | jq -r '.path')" = '/api/*' ]
  [[ $log != *secret* && $log != *personal* && $log != *Bearer* ]]
  HTTP_COOKIE=better-auth.session_token=cookie-value call signin POST /api/auth/sign-in/email \
    '{"email":"person@example.com","password":"pass-word-text"}'
  [[ $log != *person* && $log != *pass-word* && $log != *cookie* ]]
  call password_reset GET '/api/auth/reset-password/resettokenresettoken1234?callbackURL=/x'
  [[ $log != *resettoken* ]]
  call fallback GET '/api/auth/reset-password/resettokenresettoken1234/'
  [[ $log != *resettoken* ]]
}

@test "the log of the auth routes has no password, address, name, cookie or token, whether they succeed or fail" {
  mark=u$RANDOM$RANDOM$RANDOM
  secrets=("$mark" pass-word-text Name-Text)
  checked() {
    call "$@"
    local audit
    audit=$(grep '"audit":' <<<"$log" || true) log=$(grep -v '"audit":' <<<"$log")
    [ "$(printf '%s\n' "$log" | wc -l)" -eq 1 ]
    [ "$(printf '%s' "$log" | jq -r .status)" = "$status" ]
    # Audit lines are about accounts, by their ids.
    [ "$(printf '%s' "$audit" | grep -c .)" -le 1 ]
    log+=$(printf '%s' "$audit" | sed -E 's/"user_id":"[A-Za-z0-9]{32}"//')
    local secret
    for secret in "${secrets[@]}"; do
      [[ -n $secret && $log != *"$secret"* ]] || { echo "$1: $log has $secret"; return 1; }
    done
  }
  checked signup POST /api/auth/sign-up/email "{\"name\":\"Name-Text\",\"email\":\"$mark@example.com\",\"password\":\"pass-word-text\"}"
  [ "$status" = 200 ]
  secrets+=("$(field .token)" "$(field .user.id)")
  HTTP_COOKIE=$(printf '%s' "$headers" | sed -nE 's/^Set-Cookie: (better-auth\.session_token=[^;]+);.*/\1/p')
  HTTP_ORIGIN=$BETTER_AUTH_URL
  export HTTP_COOKIE HTTP_ORIGIN
  secrets+=("${HTTP_COOKIE##*.}" better-auth.session)
  checked token GET /api/auth/token
  secrets+=("$(field .token | cut -d. -f 2)" "$(field .token | cut -d. -f 3)")
  checked session GET /api/auth/get-session
  checked session GET "/api/auth/get-session?disableRefresh=$mark"
  checked sessions GET /api/auth/list-sessions
  checked account POST /api/auth/change-password '{"currentPassword":"pass-word-text","newPassword":"pass-word-text-2"}'
  [ "$status" = 200 ]
  checked account POST /api/auth/verify-password '{"password":"pass-word-text-wrong"}'
  checked signin POST /api/auth/sign-in/email "{\"email\":\"$mark@example.com\",\"password\":\"pass-word-text\""
  [ "$status" = 400 ]
  checked signup POST /api/auth/sign-up/email "{\"name\":\"Name-Text\",\"email\":\"$mark@example.com\",\"password\":\"pass-word-text\"}"
  [ "$status" = 422 ]
  # The database's own words about a refused row quote it; the log has its code only.
  checked signup POST /api/auth/sign-up/email "{\"name\":\"Name-Text\\u0000\",\"email\":\"2$mark@example.com\",\"password\":\"pass-word-text\"}"
  [ "$status" = 422 ]
  checked verification GET "/api/auth/verify-email?token=$mark.pass-word-text&callbackURL=/$mark"
  checked fallback GET "/api/auth/$mark/pass-word-text"
  checked signout POST /api/auth/sign-out '{}'
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
