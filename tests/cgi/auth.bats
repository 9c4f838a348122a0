# The auth programs from a shell.

load helper

setup() {
  EMAIL=u$RANDOM$RANDOM$RANDOM@example.com
  call signup POST /api/auth/sign-up/email "{\"name\":\"Zoë\",\"email\":\"$EMAIL\",\"password\":\"password123\"}"
  [ "$status" = 200 ]
  cookie_of_answer
}

cookie_of_answer() {
  HTTP_COOKIE=$(printf '%s' "$headers" | sed -nE 's/^Set-Cookie: (better-auth\.session_token=[^;]+);.*/\1/p')
  HTTP_ORIGIN=$BETTER_AUTH_URL
  export HTTP_COOKIE HTTP_ORIGIN
}

@test "sign up, sign in, session, token, task, sign out" {
  call signin POST /api/auth/sign-in/email "{\"email\":\"$EMAIL\",\"password\":\"password123\"}"
  [ "$status" = 200 ]
  [ "$(field .user.email)" = "$EMAIL" ]
  cookie_of_answer
  call session GET /api/auth/get-session
  [ "$(field .user.name)" = Zoë ]
  [[ $headers == *'set-auth-jwt: '* ]]
  call token GET /api/auth/token
  HTTP_AUTHORIZATION="Bearer $(field .token)" call task_create POST /api/tasks '{"title":"x"}'
  [ "$status" = 201 ]
  call signout POST /api/auth/sign-out '{}'
  [ "$status" = 200 ]
  [ "$body" = '{"success":true}' ]
  call token GET /api/auth/token
  [ "$status" = 401 ]
}

@test "with JWT_ALGORITHM=HS256 the token is the shared secret's, without the e-mail address" {
  JWT_ALGORITHM=HS256 call token GET /api/auth/token
  token=$(field .token)
  payload=$(printf '%s' "$token" | cut -d. -f2 | tr -- '-_' '+/')
  while [ $((${#payload} % 4)) -ne 0 ]; do payload+='='; done
  claims=$(printf '%s' "$payload" | base64 -d)
  [ "$(printf '%s' "$claims" | jq -r 'keys_unsorted | join(",")')" = iat,name,emailVerified,image,createdAt,updatedAt,id,sub,exp,iss,aud ]
  HTTP_AUTHORIZATION="Bearer $token" call task_list GET /api/tasks
  [ "$status" = 200 ]
  JWT_ALGORITHM=HS256 call jwks GET /api/auth/jwks
  [ "$status" = 404 ]
  [ -z "$body" ]
}

@test "an https base URL gives secure cookies, and takes no others" {
  BETTER_AUTH_URL=https://todo.example.com HTTP_ORIGIN=https://todo.example.com call signin POST /api/auth/sign-in/email \
    "{\"email\":\"$EMAIL\",\"password\":\"password123\"}"
  [[ $headers == *'Set-Cookie: __Secure-better-auth.session_token='*'; Max-Age=604800; Path=/; HttpOnly; Secure; SameSite=Lax'* ]]
  BETTER_AUTH_URL=https://todo.example.com call session GET /api/auth/get-session
  [ "$body" = null ]
}

@test "without sign-in at sign-up, a taken address looks like a free one" {
  unset HTTP_COOKIE
  for email in "$EMAIL" "new$EMAIL"; do
    AUTH_AUTO_SIGN_IN=off call signup POST /api/auth/sign-up/email "{\"name\":\"N\",\"email\":\"$email\",\"password\":\"password123\"}"
    [ "$status" = 200 ]
    [ "$(field .token)" = null ]
    [ "$(field '.user | keys_unsorted | join(",")')" = name,email,emailVerified,image,createdAt,updatedAt,id ]
    [[ $headers != *Set-Cookie* ]]
  done
}

@test "an address that must be confirmed cannot sign in, and a wrong password says nothing of it" {
  AUTH_REQUIRE_EMAIL_VERIFICATION=on call signin POST /api/auth/sign-in/email "{\"email\":\"$EMAIL\",\"password\":\"password123\"}"
  [ "$status" = 403 ]
  [ "$(field .code)" = EMAIL_NOT_VERIFIED ]
  AUTH_REQUIRE_EMAIL_VERIFICATION=on call signin POST /api/auth/sign-in/email "{\"email\":\"$EMAIL\",\"password\":\"password124\"}"
  [ "$status" = 401 ]
}

@test "CONTENT_LENGTH counts on the auth routes as on the others, and so does the limit of a body" {
  unset HTTP_COOKIE
  json='{"email":"nobody","password":"x"}'
  try() { CONTENT_LENGTH=$1 call signin POST /api/auth/sign-in/email "${2-$json}"; }
  for length in '' -1 "${#json}"; do
    try "$length"
    [ "$(field .code)" = INVALID_EMAIL ] || { echo "$length: $status $body"; false; }
  done
  for length in 1 0 99 1e3 0x21 -2 +33 33x ' 33'; do
    try "$length"
    [ "$status" = 400 ] || { echo "$length: $status"; false; }
    [ "$(field .code)" != INVALID_EMAIL ] || { echo "$length is taken as a length"; false; }
  done
  for length in 131073 1000000000000000000000000000000; do
    try "$length"
    [ "$status" = 413 ] || { echo "$length: $status"; false; }
  done
  big="{\"email\":\"nobody\",\"password\":\"$(head -c 140000 /dev/zero | tr '\0' x)\"}"
  for length in '' -1 "${#big}"; do
    try "$length" "$big"
    [ "$status" = 413 ]
    [[ $body != *xxx* ]]
  done
  TODO_MAX_BODY_BYTES=200000 try "${#big}" "$big"
  [ "$(field .code)" = INVALID_EMAIL ]
}

@test "an input that is closed, empty, a file or a pipe is read as what it is" {
  unset HTTP_COOKIE
  printf '{"email":"nobody","password":"x"}' >"$BATS_TEST_TMPDIR/body"
  signin() {
    AUTH_RATE_LIMIT=off REQUEST_METHOD=POST REQUEST_URI=/api/auth/sign-in/email CONTENT_TYPE=application/json \
      CONTENT_LENGTH=$1 timeout 10 "$TODO_BIN/signin" 2>/dev/null
  }
  signin 33 <"$BATS_TEST_TMPDIR/body" | grep -q '"code":"INVALID_EMAIL"'
  cat "$BATS_TEST_TMPDIR/body" | signin 33 | grep -q '"code":"INVALID_EMAIL"'
  (printf '{"email":"nobody",'; sleep 0.3; printf '"password":"x"}') | signin 33 | grep -q '"code":"INVALID_EMAIL"'
  signin '' </dev/null | grep -q '"code":"VALIDATION_ERROR"'
  signin 0 <&- | grep -q '"code":"VALIDATION_ERROR"'
  signin 33 </dev/null | grep -q '^Status: 400'
  signin 33 <&- | grep -q '^Status: 400'
}

@test "an auth program answers only its own routes and methods" {
  for program in signup signin signout session sessions account token jwks delete_user change_email password_reset verification error; do
    for route in /api/auth/nothing /api/auth/ok /api/tasks /; do
      call "$program" GET "$route"
      [ "$status" = 404 ] || { echo "$program $route: $status"; false; }
    done
    call "$program" PUT /api/auth/sign-in/email '{}'
    [ "$status" = 404 ]
    [ -z "$body" ]
    [[ $headers != *$'\nAllow:'* && $headers != *$'\nContent-Type:'* ]]
  done
  call signin POST /api/auth/sign-up/email '{}'
  [ "$status" = 404 ]
  call signin POST /api/auth/sign-in/email/ '{'
  [ "$status" = 404 ]
}

@test "another base path moves every auth route" {
  AUTH_BASE_PATH=/my/auth call session GET /my/auth/get-session
  [ "$(field .user.email)" = "$EMAIL" ]
  AUTH_BASE_PATH=/my/auth call session GET /api/auth/get-session
  [ "$status" = 404 ]
}

@test "three sign-ins in ten seconds, then 429 with X-Retry-After, for that client and path only" {
  client=10.$((RANDOM % 256)).$((RANDOM % 256)).$((RANDOM % 256))
  try() {
    AUTH_RATE_LIMIT=on HTTP_X_FORWARDED_FOR=${1:-$client} call signin POST /api/auth/sign-in/email '{"email":"nobody","password":"x"}'
  }
  for n in 1 2 3; do try; [ "$status" = 400 ]; done
  try
  [ "$status" = 429 ]
  [ "$body" = '{"message":"Too many requests. Please try again later."}' ]
  wait=$(printf '%s' "$headers" | sed -n 's/^X-Retry-After: //p')
  [ "$wait" -ge 8 ] && [ "$wait" -le 10 ]
  try 10.1.1.$((RANDOM % 256)).
  [ "$status" = 400 ]
  AUTH_RATE_LIMIT=on HTTP_X_FORWARDED_FOR=$client call session GET /api/auth/get-session
  [ "$status" = 200 ]
  # A refused request does not prolong the wait; a whole window after the last allowed one ends it.
  psql -q "$DATABASE_URL" -c "UPDATE \"rateLimit\" SET \"lastRequest\" = \"lastRequest\" - 10001 WHERE key = '$client|/sign-in/email'"
  try
  [ "$status" = 400 ]
  AUTH_RATE_LIMIT=on AUTH_RATE_LIMIT_EXEMPT=10.0.0.0/8 HTTP_X_FORWARDED_FOR=$client call signin POST /api/auth/sign-in/email '{"email":"x","password":"x"}'
  [ "$status" = 400 ]
}

@test "of 12 sign-ins at once from one client, exactly 3 get through" {
  client=10.$((RANDOM % 256)).$((RANDOM % 256)).$((RANDOM % 256))
  for n in {1..12}; do
    printf '{"email":"nobody","password":"x"}' | AUTH_RATE_LIMIT=on HTTP_X_FORWARDED_FOR=$client REQUEST_METHOD=POST \
      REQUEST_URI=/api/auth/sign-in/email CONTENT_TYPE=application/json "$TODO_BIN/signin" 2>/dev/null >"$BATS_TEST_TMPDIR/try.$n" &
  done
  wait
  [ "$(cat "$BATS_TEST_TMPDIR"/try.* | grep -o 'Status: 400' | wc -l)" -eq 3 ]
  [ "$(cat "$BATS_TEST_TMPDIR"/try.* | grep -o 'Status: 429' | wc -l)" -eq 9 ]
}

@test "maintenance removes what has expired and nothing else" {
  psql -q "$DATABASE_URL" -c "INSERT INTO verification (id, identifier, value, \"expiresAt\") VALUES ('old$EMAIL', 'x', 'y', now() - interval '1 minute'), ('new$EMAIL', 'x', 'y', now() + interval '1 hour')" \
    -c "INSERT INTO \"rateLimit\" VALUES ('$EMAIL', '$EMAIL', 1, 0)"
  run "$TODO_BIN/maintenance"
  [ "$status" -eq 0 ]
  [ "$(psql -qAt "$DATABASE_URL" -c "SELECT string_agg(id, ',') FROM verification WHERE id LIKE '%$EMAIL'")" = "new$EMAIL" ]
  [ "$(psql -qAt "$DATABASE_URL" -c "SELECT count(*) FROM \"rateLimit\" WHERE key = '$EMAIL'")" = 0 ]
  call session GET /api/auth/get-session
  [ "$(field .user.email)" = "$EMAIL" ]
}
