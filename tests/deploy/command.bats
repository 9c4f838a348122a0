# The command todo-fcgi, on a database of its own.

bats_require_minimum_version 1.5.0
load helper

setup() {
  SCRATCH=$(mktemp -d)
  new_database
  INSTANCE_URL=$DATABASE_URL
  export BUILD=$TODO_BUILD DATABASE_URL=$OWN_URL
  COMMAND=$TODO_ROOT/env/todo-fcgi
}

teardown() {
  DATABASE_URL=$INSTANCE_URL drop_database
  rm -rf "$SCRATCH"
}

todo() { "$COMMAND" "$@"; }

with_schema() { todo migrate >/dev/null; }

add() { echo "${2:-password123}" | todo user add "$1" --json | jq -r .id; }

sign_in() { todo call POST /api/auth/sign-in/email --data "{\"email\":\"$1\",\"password\":\"$2\"}"; }

@test "migrate brings an empty database to the schema, and --status says so" {
  run todo migrate --status
  [ "$status" -eq 1 ]
  todo migrate
  run todo migrate --status
  [ "$status" -eq 0 ]
  [[ $output == *'0001_auth: applied'* ]]
}

@test "a user is added, listed, signs in, gets another password, which ends sessions, and is deleted with the tasks" {
  with_schema
  id=$(add Zoe@Example.com)
  [ "$(todo user list --json | jq -r '[.id, .email, .name, .emailVerified] | @tsv')" = "$id"$'\tzoe@example.com\tzoe\tfalse' ]
  [[ $(todo user list) == "$id"$'\tzoe@example.com\tzoe\tunverified\t'* ]]
  sign_in zoe@example.com password123
  todo call POST /api/tasks --user "$id" --data '{"title":"theirs"}'
  [ "$(sql -c 'SELECT count(*) FROM session')" -eq 1 ]
  echo 'another word' | todo user reset-password zoe@example.com
  [ "$(sql -c 'SELECT count(*) FROM session')" -eq 0 ]
  run sign_in zoe@example.com password123
  [ "$status" -eq 1 ]
  sign_in zoe@example.com 'another word'
  todo user delete ZOE@example.com
  [ "$(sql -c 'SELECT (SELECT count(*) FROM "user") + (SELECT count(*) FROM account) + (SELECT count(*) FROM session) + (SELECT count(*) FROM task)')" -eq 0 ]
}

@test "a user added as verified with a name may sign in where addresses must be confirmed" {
  with_schema
  export AUTH_REQUIRE_EMAIL_VERIFICATION=on
  add a@example.com
  echo password123 | todo user add b@example.com --name 'Bo Bee' --verified
  run sign_in a@example.com password123
  [ "$status" -eq 1 ]
  sign_in b@example.com password123 | jq -e '.user.name == "Bo Bee"'
}

@test "a user without a password account, as other providers leave them, gets one by reset-password" {
  with_schema
  sql -c "INSERT INTO \"user\" (id, name, email, \"emailVerified\", \"updatedAt\") VALUES ('x', 'X', 'x@example.com', true, now())"
  echo password123 | todo user reset-password x
  sign_in x@example.com password123
}

@test "what is refused says why, with status 1, and changes nothing" {
  with_schema
  add zoe@example.com
  before=$(sql -c 'SELECT (SELECT string_agg(u::text, $$,$$) FROM "user" u), (SELECT string_agg(a::text, $$,$$) FROM account a)')
  refused() {
    local reason=$1
    shift
    run "$@"
    [ "$status" -eq 1 ] && [[ $output == *"$reason"* ]]
  }
  refused 'with this address already' bash -c "echo password123 | '$COMMAND' user add ZOE@example.com"
  refused 'not an e-mail address' bash -c "echo password123 | '$COMMAND' user add zoe"
  refused 'Password too short' bash -c "echo short | '$COMMAND' user add new@example.com"
  refused 'Password too short' bash -c "echo short | '$COMMAND' user reset-password zoe@example.com"
  refused 'no password on standard input' bash -c "'$COMMAND' user add new@example.com </dev/null"
  for command in 'user delete' 'user reset-password' 'token --user'; do
    refused 'there is no such user' bash -c "echo password123 | '$COMMAND' $command nobody@example.com"
  done
  [ "$(sql -c 'SELECT (SELECT string_agg(u::text, $$,$$) FROM "user" u), (SELECT string_agg(a::text, $$,$$) FROM account a)')" = "$before" ]
}

@test "at a terminal the password is asked for twice, and is not shown" {
  with_schema
  printf 'password123\npassword123\n' | script -qec "'$COMMAND' user add t@example.com" /dev/null >"$SCRATCH/seen"
  ! grep -q password123 "$SCRATCH/seen"
  sign_in t@example.com password123
  printf 'password123\nanother123\n' | script -qec "'$COMMAND' user add u@example.com" /dev/null >"$SCRATCH/seen" || true
  grep -q 'not the same' "$SCRATCH/seen"
  [ "$(todo user list | wc -l)" -eq 1 ]
}

@test "user list is limited, says that there are more, and shows no control characters to a terminal" {
  with_schema
  sql -c "INSERT INTO \"user\" (id, name, email, \"emailVerified\", \"updatedAt\") SELECT 'u' || n, E'N\\033[2J', 'u' || n || '@example.com', true, now() FROM generate_series(1, 5) n"
  run --separate-stderr todo user list --limit 3
  [ "${#lines[@]}" -eq 3 ]
  [[ $stderr == *'there are more'* ]]
  [[ $output != *$'\033'* ]]
  [ "$(todo user list --limit 5 | wc -l)" -eq 5 ]
}

@test "call finds the program that the web server would choose" {
  with_schema
  program() { todo call "$@" --json | jq -r .program; }
  while IFS=$'\t' read -r name methods pattern; do
    path=${pattern//'{auth}'//api/auth}
    path=${path//'(/v1|/users/{user_id}|/{user_id})?'//v1}
    path=${path//'(/api)?'//api}
    path=${path//'(complete|toggle)'/toggle}
    path=$(sed -E 's/\{[a-z_]+\}/7/g' <<<"$path")
    for method in ${methods//,/ }; do
      [ "$(program "$method" "$path" --data '{}' || true)" = "$name" ] || { echo "$method $path"; false; }
    done
  done <"$TODO_BUILD/routes.tsv"
  [ "$(program GET /api/nothing)" = fallback ]
  [ "$(program DELETE /api/tasks)" = fallback ]
}

@test "call: the body on standard output, status 1 from 400 on, head lines with --include, one object with --json" {
  with_schema
  id=$(add zoe@example.com)
  [ "$(todo call POST /api/tasks --user zoe@example.com --data '{"title":"Ä \"q\" \\ $x"}' | jq -r .title)" = 'Ä "q" \ $x' ]
  echo '{"title":"from input"}' | todo call POST "/api/$id/tasks" --user "$id" --data -
  [ "$(todo call GET '/api/tasks?completed=false&limit=1' --user "$id" | jq length)" -eq 1 ]
  [[ $(todo call GET /api/tasks --user "$id" --include) == 'Status: 200'*'X-Total-Count: 2'* ]]
  todo call GET /api/tasks --user "$id" --json | jq -e '.status == 200 and .program == "task_list" and (.body | length == 2)'
  run todo call GET /api/tasks
  [ "$status" -eq 1 ]
  [[ $output == *'status 401'* ]]
  todo call DELETE /api/tasks/1 --user "$id" --json | jq -e '.status == 204 and .body == null'
  todo call GET /health --header 'Origin: https://x.example' --header 'X-Request-Id: mine' --include | grep -qx 'X-Request-Id: mine'
  run todo call POST /api/tasks --user "$id" --header 'Content-Type: text/plain' --data '{}' --json
  [ "$(jq .status <<<"$output")" = 415 ]
}

@test "a token is good at the running service, and after a rotation the old one stays good" {
  export DATABASE_URL=$INSTANCE_URL
  email=op-$RANDOM$RANDOM@example.com
  id=$(add "$email")
  kid() { cut -d. -f1 <<<"$1" | tr '_-' '/+' | base64 -d 2>/dev/null | grep -o '"kid":"[^"]*"'; }
  asked() { curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" "$TODO_URL/api/$id/tasks"; }
  old=$(todo token --user "$email")
  [ "$(asked "$old")" = 200 ]
  todo key rotate
  new=$(todo token --user "$id" --json | jq -r .token)
  [ "$(kid "$old")" != "$(kid "$new")" ]
  [ "$(asked "$new")" = 200 ]
  [ "$(asked "$old")" = 200 ]
  [ "$(todo key list | cut -f 3 | grep -c signing)" -eq 1 ]
  todo user delete "$id"
}

@test "in a checkout without settings of its own, those of the running instance are taken, to the last byte" {
  email=op-$RANDOM$RANDOM@example.com
  joined() { env -u DATABASE_URL -u BETTER_AUTH_SECRET -u BETTER_AUTH_URL STATE_DIR="$TODO_STATE_DIR" JWT_ALGORITHM=HS256 "$COMMAND" "$@"; }
  echo password123 | joined user add "$email"
  [ "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(joined token --user "$email")" "$TODO_URL/api/tasks")" = 200 ]
  joined user delete "$email"
}

@test "settings come from the environment, else from the file; mistakes are named with status 2, values never" {
  cat >"$SCRATCH/env" <<CONF
DATABASE_URL=$OWN_URL
BETTER_AUTH_SECRET="0123456789abcdef-hidden-0123456789"
CONF
  env -u DATABASE_URL -u BETTER_AUTH_SECRET "$COMMAND" --env "$SCRATCH/env" migrate
  env -u DATABASE_URL -u BETTER_AUTH_SECRET "$COMMAND" --env "$SCRATCH/env" user list
  run env DATABASE_URL=mysql://u:hidden@h/d "$COMMAND" --env "$SCRATCH/env" user list
  [ "$status" -eq 2 ]
  [[ $output == *DATABASE_URL* && $output != *hidden* ]]
  run env BETTER_AUTH_SECRET=tooshort "$COMMAND" token --user x
  [ "$status" -eq 2 ]
  [[ $output == *'at least 32'* && $output != *tooshort* ]]
  run env DATABASE_URL=postgresql://u:hidden@127.0.0.1:1/d "$COMMAND" user list
  [ "$status" -eq 1 ]
  [[ $output != *hidden* ]]
  run todo --env "$SCRATCH/missing" user list
  [ "$status" -eq 2 ]
  [[ $output == *'cannot read'* ]]
}

@test "no command prints a secret, but for the token that is asked for" {
  with_schema
  add zoe@example.com marked-password >/dev/null
  password=${OWN_URL#*://*:}
  password=${password%%@*}
  [ -n "$password" ]
  {
    todo user list; todo user list --json; todo key rotate; todo key list --json; todo version; todo help; todo maintenance
    todo call GET /api/tasks --user zoe@example.com --include; todo migrate --status; todo call GET /ready
    echo marked-password | todo user reset-password zoe@example.com
    LOG_LEVEL=debug todo call GET /api/tasks --user zoe@example.com
  } >"$SCRATCH/all" 2>&1
  [ -s "$SCRATCH/all" ]
  ! grep -qF -e "$password" -e "$BETTER_AUTH_SECRET" -e marked-password -e eyJ "$SCRATCH/all"
  # The private half of a key, and the hash of a password.
  for secret in $(sql -c 'SELECT "privateKey" FROM jwks UNION SELECT password FROM account'); do ! grep -qF -- "$secret" "$SCRATCH/all"; done
}

@test "wrong use is status 2 with the usage, and does nothing" {
  with_schema
  while read -r words; do
    # shellcheck disable=SC2086
    run todo $words
    [ "$status" -eq 2 ] || { echo "todo-fcgi $words: $status"; false; }
    [[ $output == *usage:* ]] || { echo "todo-fcgi $words: $output"; false; }
  done <<'WORDS'

frob
user
user frob
user add
user list --limit
user list --limit x
user list --frob
user delete
user delete a b
key
key frob
token
token --user
call
call GET
call GET tasks
call GET /api/tasks --frob
call GET /api/tasks --header nocolon
migrate --frob
maintenance now
--env
WORDS
  todo help | grep -q '^usage:'
}

@test "installed, it finds its own parts and its own settings" {
  env -u MAKEFLAGS -u MAKELEVEL make --silent -C "$TODO_ROOT" CONFIG="$(basename "$TODO_BUILD")" install prefix="$SCRATCH/here" \
    runstatedir="$SCRATCH/run" PROGRAM_PREFIX=my- >/dev/null
  printf 'DATABASE_URL=%s\nBETTER_AUTH_SECRET=0123456789abcdef0123456789abcdef\n' "$OWN_URL" >"$SCRATCH/here/etc/todo-fcgi/env"
  cd /
  installed() { env -i PATH="$PATH" "$SCRATCH/here/bin/my-todo-fcgi" "$@"; }
  installed migrate
  echo password123 | installed user add zoe@example.com
  installed call POST /api/tasks --user zoe@example.com --data '{"title":"installed"}'
  [ "$(installed call GET /api/tasks --user zoe@example.com | jq -r '.[0].title')" = installed ]
  installed maintenance
  [ "$(installed version)" = "$("$COMMAND" version)" ]
  installed version --json | jq -e .version
}
