# The schema and its migrations (sql/).

load helper

setup() {
  new_database
  FOLDER=$(mktemp -d)
}

teardown() {
  drop_database
  rm -rf "$FOLDER"
}

# A copy of the folder, for tests that change a file.
copy_of_sql() {
  mkdir -p "$FOLDER/env"
  cp -r "$TODO_ROOT/sql" "$FOLDER/"
  cp "$TODO_ROOT/env/database-url" "$FOLDER/env/"
}

migrate() { DATABASE_URL=$OWN_URL "${1:-$TODO_ROOT}/sql/migrate" "${@:2}"; }

@test "an empty database gets the whole schema, and a second run changes nothing" {
  migrate
  run migrate
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [ "$(sql -c 'SELECT count(*) FROM todo_migration')" -eq "$(ls "$TODO_ROOT"/sql/[0-9]*.sql | wc -l)" ]
}

@test "two machines that migrate at once do each migration once" {
  migrate >"$FOLDER/a" & first=$!
  migrate >"$FOLDER/b" & second=$!
  wait "$first"
  wait "$second"
  [ "$(cat "$FOLDER/a" "$FOLDER/b" | sort | uniq -d | wc -l)" -eq 0 ]
  [ "$(cat "$FOLDER/a" "$FOLDER/b" | wc -l)" -eq "$(ls "$TODO_ROOT"/sql/[0-9]*.sql | wc -l)" ]
}

@test "a migration that was changed after it was applied is named, and nothing is done" {
  copy_of_sql
  migrate "$FOLDER"
  echo '-- changed' >>"$FOLDER/sql/0002_task.sql"
  run migrate "$FOLDER"
  [ "$status" -eq 1 ]
  [[ $output == *0002_task*changed* ]]
}

@test "row 104: a database that a newer version has migrated is refused with one line, and stays as it is" {
  copy_of_sql
  echo 'CREATE TABLE later (a int);' >"$FOLDER/sql/0900_later.sql"
  migrate "$FOLDER"
  printf 'CREATE TABLE mine (a int);\n' >"$FOLDER/sql/0800_mine.sql"
  rm "$FOLDER/sql/0900_later.sql"
  run migrate "$FOLDER"
  [ "$status" -eq 1 ]
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == *'newer version (0900_later)'* ]]
  [ "$(sql -c "SELECT to_regclass('mine') IS NULL AND to_regclass('later') IS NOT NULL")" = t ]
  run migrate "$TODO_ROOT" --status
  [ "$status" -eq 1 ]
  [[ $output == *'0900_later: of a newer version'* ]]
}

@test "a migration that fails leaves nothing of itself, and says which it was" {
  copy_of_sql
  printf 'CREATE TABLE half (a int);\nSELECT 1/0;\n' >"$FOLDER/sql/0900_broken.sql"
  run migrate "$FOLDER"
  [ "$status" -eq 1 ]
  [[ $output == *0900_broken* ]]
  [ "$(sql -c "SELECT to_regclass('half') IS NULL")" = t ]
}

@test "--status tells what is applied and what is missing, and changes nothing" {
  run migrate "$TODO_ROOT" --status
  [ "$status" -eq 1 ]
  [[ $output == *'0001_auth: missing'* ]]
  [ "$(sql -c "SELECT to_regclass('todo_migration') IS NULL")" = t ]
  migrate
  run migrate "$TODO_ROOT" --status
  [ "$status" -eq 0 ]
  [[ $output == *'0002_task: applied'* ]]
}

@test "the spelling that Python drivers use is accepted, and foreign parameters are dropped" {
  url=${OWN_URL/postgresql:/postgresql+asyncpg:}
  run env DATABASE_URL="$url&prepared_statement_cache_size=0" "$TODO_ROOT/sql/migrate"
  [ "$status" -eq 0 ]
  [[ $output == *prepared_statement_cache_size* ]]
}

@test "the auth tables have the names that Better Auth expects of them" {
  migrate
  names=$(sql -c "SELECT conname FROM pg_constraint WHERE contype IN ('u', 'f') AND conrelid::regclass::text
                    IN ('\"user\"', 'session', 'account') ORDER BY 1" | tr '\n' ' ')
  [ "$names" = 'account_userId_fkey session_token_key session_userId_fkey user_email_key ' ]
  required=$(sql -c "SELECT string_agg(column_name, ',' ORDER BY column_name) FROM information_schema.columns
                      WHERE table_name = 'user' AND is_nullable = 'NO' AND column_default IS NULL")
  [ "$required" = 'email,emailVerified,id,name' ]
}

@test "10,000 tasks of the Python service are adopted with every row and id" {
  sql <<'SQL'
CREATE TABLE task (
  id serial PRIMARY KEY, title varchar NOT NULL, description varchar, completed boolean NOT NULL,
  user_id varchar NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE INDEX ix_task_user_id ON task (user_id);
INSERT INTO task (title, description, completed, user_id, created_at, updated_at)
SELECT 'Task ' || n, CASE WHEN n % 3 = 0 THEN NULL ELSE 'About ' || n END, n % 2 = 0, 'user-' || n % 100,
       timestamp '2026-01-02 03:04:05.678901' + n * interval '1 minute',
       timestamp '2026-01-02 03:04:05.678901' + n * interval '2 minutes'
  FROM generate_series(1, 10000) n;
DELETE FROM task WHERE id = 10000;
SQL
  digest="SELECT count(*), md5(string_agg(concat_ws('|', id, title, description, completed, user_id), ',' ORDER BY id)) FROM task"
  before=$(sql -c "$digest")
  migrate
  [ "$(sql -c "$digest")" = "$before" ]
  [ "$(sql -c "SET timezone = 'Asia/Karachi'; SELECT created_at AT TIME ZONE 'UTC' FROM task WHERE id = 1")" = '2026-01-02 03:05:05.678901' ]
  # Ids go on after the highest that there ever was in the table, and none comes twice.
  new=$(sql -c "INSERT INTO task (user_id, title) VALUES ('user-1', 'new') RETURNING id")
  [ "$new" -ge 10000 ]
  secret=0123456789abcdef0123456789abcdef
  run env DATABASE_URL="$OWN_URL" BETTER_AUTH_SECRET=$secret REQUEST_METHOD=GET REQUEST_URI='/api/tasks?limit=1' \
    HTTP_AUTHORIZATION="Bearer $(token user-7 $secret)" "$TODO_BIN/task_list"
  [[ $output == *'X-Total-Count: 100'* ]]
}

@test "an adopted row that breaks a limit stays readable, and new ones keep it" {
  sql -c "CREATE TABLE task (id serial PRIMARY KEY, title varchar NOT NULL, description varchar, completed boolean,
            user_id varchar NOT NULL, created_at timestamp, updated_at timestamp)" \
      -c "INSERT INTO task (title, user_id, completed, created_at) VALUES (repeat('x', 300), 'u', NULL, NULL)"
  migrate
  [ "$(sql -c "SELECT char_length(title), completed FROM task")" = '300|f' ]
  run sql -c "INSERT INTO task (user_id, title) VALUES ('u', repeat('x', 201))"
  [ "$status" -ne 0 ]
}

@test "a deleted user takes the tasks along, whoever deletes the row" {
  migrate
  sql -c "INSERT INTO \"user\" (id, name, email, \"emailVerified\") VALUES ('a', 'A', 'a@x.co', false), ('b', 'B', 'b@x.co', false)" \
      -c "INSERT INTO task (user_id, title) VALUES ('a', '1'), ('a', '2'), ('b', '3'), ('elsewhere', '4')"
  sql -c "DELETE FROM \"user\" WHERE id = 'a'"
  [ "$(sql -c "SELECT string_agg(title, ',' ORDER BY id) FROM task")" = '3,4' ]
}
