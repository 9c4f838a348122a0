# What the tests of single programs share. They call a program by plain CGI, with the settings of the
# instance under test and no web server.

# call PROGRAM METHOD URI [BODY]: sets `status` of the HTTP answer, `headers`, `body`, `log`, `exit_status`.
call() {
  local program=$1 method=$2 uri=$3 input=${4-}
  local out="$BATS_TEST_TMPDIR/out" err="$BATS_TEST_TMPDIR/err" type=${CONTENT_TYPE-application/json}
  exit_status=0
  if [ $# -ge 4 ]; then
    printf '%s' "$input" | env AUTH_RATE_LIMIT="${AUTH_RATE_LIMIT:-off}" REQUEST_METHOD="$method" REQUEST_URI="$uri" \
      CONTENT_TYPE="$type" CONTENT_LENGTH="${CONTENT_LENGTH-$(printf '%s' "$input" | wc -c)}" \
      "$TODO_BIN/$program" >"$out" 2>"$err" || exit_status=$?
  else
    env AUTH_RATE_LIMIT="${AUTH_RATE_LIMIT:-off}" REQUEST_METHOD="$method" REQUEST_URI="$uri" \
      "$TODO_BIN/$program" >"$out" 2>"$err" </dev/null || exit_status=$?
  fi
  status=$(sed -n 's/^Status: \([0-9]*\).*/\1/p' "$out" | head -n 1)
  headers=$(sed '/^\r$/,$d' "$out" | tr -d '\r')
  body=$(sed '1,/^\r$/d' "$out")
  log=$(cat "$err")
}

# token USER: an access token of the shared secret, valid for an hour.
token() {
  base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
  local head body
  head=$(printf '{"alg":"HS256"}' | base64url)
  body=$(printf '{"sub":"%s","exp":%d}' "$1" $(($(date +%s) + 3600)) | base64url)
  printf '%s.%s.%s' "$head" "$body" \
    "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$BETTER_AUTH_SECRET" -binary | base64url)"
}

as_user() {
  USER_ID=${1:-u-$RANDOM$RANDOM$RANDOM}
  HTTP_AUTHORIZATION="Bearer $(token "$USER_ID")"
  export HTTP_AUTHORIZATION
}

# Every program, and those that answer requests.
programs() { ls "$TODO_BIN"; }
routed() { cut -f 1 "$TODO_BUILD/routes.tsv" | sort -u; }

field() { printf '%s' "$body" | jq -r "$1"; }
