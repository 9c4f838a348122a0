# What the tests of the deployment share. Each file has a folder and, where it needs one, a database of
# its own in the cluster of the instance under test.

# A URL of the instance's cluster with another database name.
url_of_database() {
  printf '%s' "${DATABASE_URL/\/todo\?//$1?}"
}

new_database() {
  DATABASE=test_$RANDOM$RANDOM
  psql --quiet --no-psqlrc "$DATABASE_URL" -c "CREATE DATABASE $DATABASE"
  OWN_URL=$(url_of_database "$DATABASE")
}

drop_database() {
  psql --quiet --no-psqlrc "$DATABASE_URL" -c "DROP DATABASE IF EXISTS $DATABASE WITH (FORCE)"
}

sql() {
  psql --quiet --no-psqlrc --no-align --tuples-only --set ON_ERROR_STOP=1 "$OWN_URL" "$@"
}

free_port() {
  local port
  while true; do
    port=$((RANDOM % 12000 + 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# embedded COMMAND…: an instance of its own, with nothing of the instance under test in its settings.
embedded() {
  env -u DATABASE_URL -u BETTER_AUTH_SECRET -u BETTER_AUTH_URL -u AUTH_RATE_LIMIT_EXEMPT -u AUTH_DELETE_USER \
    -u BETTER_AUTH_TRUSTED_ORIGINS STATE_DIR="$OWN_STATE" PORT="$OWN_PORT" BUILD="$TODO_BUILD" "$@"
}

# token USER SECRET: an access token of the shared secret, valid for an hour.
token() {
  local now head body
  now=$(date +%s)
  base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
  head=$(printf '{"alg":"HS256"}' | base64url)
  body=$(printf '{"sub":"%s","exp":%d}' "$1" $((now + 3600)) | base64url)
  printf '%s.%s.%s' "$head" "$body" \
    "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$2" -binary | base64url)"
}

# wait_until SECONDS COMMAND…
wait_until() {
  local tries=$(($1 * 10))
  shift
  until "$@"; do
    ((tries-- > 0)) || return 1
    sleep 0.1
  done
}
