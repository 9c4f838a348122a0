# The task programs from a shell.

load helper

setup() { as_user; }

@test "a task is created, listed, read, changed, completed and deleted" {
  call task_create POST /api/tasks '{"title":"Buy milk"}'
  [ "$status" = 201 ]
  id=$(field .id)
  [[ $headers == *"Location: /api/$USER_ID/tasks/$id"* ]]
  call task_list GET /api/tasks
  [ "$status" = 200 ]
  [ "$(field '.[0].title')" = 'Buy milk' ]
  call task_get GET "/api/$USER_ID/tasks/$id"
  [ "$(field .completed)" = false ]
  call task_update PUT "/api/tasks/$id" '{"description":"two litres"}'
  [ "$(field .description)" = 'two litres' ]
  call task_complete PATCH "/api/tasks/$id/complete"
  [ "$(field .completed)" = true ]
  call task_delete DELETE "/api/tasks/$id"
  [ "$status" = 204 ]
  [ -z "$body" ]
  call task_get GET "/api/tasks/$id"
  [ "$status" = 404 ]
}

@test "without a token 401, with another user's path 401, with a stranger's task 404" {
  call task_create POST /api/tasks '{"title":"mine"}'
  id=$(field .id)
  call task_get GET "/api/somebody/tasks/$id"
  [ "$status" = 401 ]
  as_user
  call task_get GET "/api/tasks/$id"
  [ "$status" = 404 ]
  unset HTTP_AUTHORIZATION
  call task_get GET "/api/tasks/$id"
  [ "$status" = 401 ]
  [[ $headers == *'WWW-Authenticate: Bearer'* ]]
}

@test "CONTENT_LENGTH: absent, empty and -1 mean to the end; what is no number or does not fit is 400" {
  json='{"title":"x"}'
  for length in '' -1; do
    CONTENT_LENGTH=$length call task_create POST /api/tasks "$json"
    [ "$status" = 201 ]
  done
  printf '%s' "$json" | REQUEST_METHOD=POST REQUEST_URI=/api/tasks CONTENT_TYPE=application/json \
    "$TODO_BIN/task_create" 2>/dev/null | grep -q '^Status: 201'
  for length in 14 1e3 0x10 -2 12x ' 13' 99; do
    CONTENT_LENGTH=$length call task_create POST /api/tasks "$json"
    [ "$status" = 400 ] || { echo "$length: $status"; false; }
  done
  CONTENT_LENGTH=1000000000000000000000000000000 call task_create POST /api/tasks "$json"
  [ "$status" = 413 ]
}

@test "a body over the limit is 413, by its length and while it is read" {
  big=$(head -c 140000 /dev/zero | tr '\0' x)
  call task_create POST /api/tasks "$big"
  [ "$status" = 413 ]
  CONTENT_LENGTH=-1 call task_create POST /api/tasks "$big"
  [ "$status" = 413 ]
  TODO_MAX_BODY_BYTES=200000 call task_create POST /api/tasks "{\"title\":\"x\",\"y\":\"$big\"}"
  [ "$status" = 201 ]
}

@test "the body's type is looked at as through a web server" {
  CONTENT_TYPE=text/plain call task_create POST /api/tasks '{"title":"x"}'
  [ "$status" = 415 ]
  CONTENT_TYPE= call task_create POST /api/tasks '{"title":"x"}'
  [ "$status" = 201 ]
  call task_create POST /api/tasks '{'
  [ "$status" = 400 ]
  call task_create POST /api/tasks '{"title":" "}'
  [ "$status" = 422 ]
  [ "$(field .details.field)" = title ]
}

@test "the form of answers follows the deployment's settings" {
  call task_create POST /api/tasks '{"title":"x"}'
  TODO_CAMEL_CASE=on call task_list GET /api/tasks
  [ "$(field '.[0].userId')" = "$USER_ID" ]
  [ "$(field '.[0].createdAt')" = "$(field '.[0].created_at')" ]
  TODO_LIST_ENVELOPE=tasks call task_list GET /api/tasks
  [ "$(field .total)" = 1 ]
  TODO_ERROR_DETAIL=off call task_get GET /api/tasks/999999999
  [ "$(field 'has("detail")')" = false ]
}

@test "a program answers only its own routes, however it is called" {
  call task_list GET /api/tasks/1
  [ "$status" = 404 ]
  call task_list DELETE /api/tasks
  [ "$status" = 405 ]
  [[ $headers == *'Allow: GET, HEAD, OPTIONS'* ]]
  call signin GET /api/tasks
  [ "$status" = 404 ]
  call fallback PUT /api/tasks
  [ "$status" = 405 ]
  [[ $headers == *'Allow: GET, HEAD, POST, OPTIONS'* ]]
  call fallback GET /api/auth/nothing
  [ "$status" = 404 ]
  [ -z "$body" ]
}

@test "HEAD has the fields of GET and no body" {
  call task_list HEAD /api/tasks
  [ "$status" = 200 ]
  [ -z "$body" ]
  [[ $headers == *'Content-Length: 2'* ]]
}

@test "a version that was read can be asked for: 304, 412, and the write that it belongs to" {
  call task_create POST /api/tasks '{"title":"x"}'
  id=$(field .id)
  tag=$(sed -n 's/^ETag: \(.*\)$/\1/p' <<<"$headers" | tr -d '\r')
  HTTP_IF_NONE_MATCH=$tag call task_get GET "/api/tasks/$id"
  [ "$status" = 304 ]
  [ -z "$body" ]
  [[ $headers == *"ETag: $tag"* ]]
  [ "$(grep -c '^Content-' <<<"$headers")" = 0 ]
  HTTP_IF_MATCH='"other"' call task_update PUT "/api/tasks/$id" '{"title":"y"}'
  [ "$status" = 412 ]
  HTTP_IF_MATCH=$tag call task_update PUT "/api/tasks/$id" '{"title":"y"}'
  [ "$status" = 200 ]
  HTTP_IF_MATCH=$tag call task_delete DELETE "/api/tasks/$id"
  [ "$status" = 412 ]
}

@test "a creation that is sent again under its key gives the first answer again" {
  export HTTP_IDEMPOTENCY_KEY=$RANDOM-$RANDOM
  call task_create POST /api/tasks '{"title":"once"}'
  [ "$status" = 201 ]
  [[ $headers != *Idempotent-Replayed* ]]
  first=$body
  call task_create POST /api/tasks '{"title":"once"}'
  [ "$status" = 201 ]
  [[ $headers == *'Idempotent-Replayed: true'* ]]
  [ "$body" = "$first" ]
  call task_create POST /api/tasks '{"title":"twice"}'
  [ "$status" = 422 ]
  [ "$(field .details.field)" = Idempotency-Key ]
  HTTP_IDEMPOTENCY_KEY=' ' call task_create POST /api/tasks '{"title":"once"}'
  [ "$status" = 422 ]
}
