// POST {tasks}: a new task of the caller, not completed. With an Idempotency-Key it is created
// once, however often the request is sent. Contract: tasks-api, sections 2.2, 4, 5 and 9. Must not
// know: how tokens are verified, how a request arrives.
#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/route.h"
#include "lib/task.h"
#include "lib/uri.h"

namespace {

constexpr char kCreate[] =
    "INSERT INTO task (user_id, title, description) VALUES ($1, $2, $3)"
    " RETURNING " TASK_COLUMNS;

// The task and its key ($4, with the hash $5 of the body) come into being together or not at all.
//   - The key was used: its first answer, which is in `first` and in the texts of this request.
//   - Another request with this key is at work: no row. The lock, which ends with the transaction,
//     tells without waiting for it.
//   - That request has got ready after this statement's snapshot was taken: its key is not seen. It
//     cannot be inserted twice either, so the whole statement is undone (23505).
constexpr char kCreateOnce[] =
    "WITH first AS ("
    "  SELECT task_id, created_at, request = decode($5, 'hex') AS is_same"
    "    FROM todo_idempotency WHERE user_id = $1 AND key = $4"
    "), turn AS MATERIALIZED ("
    "  SELECT pg_try_advisory_xact_lock(hashtextextended($1 || chr(10) || $4, 0)) AS is_mine"
    "), made AS ("
    "  INSERT INTO task (user_id, title, description) SELECT $1, $2, $3 FROM turn"
    "   WHERE is_mine AND NOT EXISTS (SELECT FROM first) RETURNING " TASK_COLUMNS
    "), kept AS ("
    "  INSERT INTO todo_idempotency (user_id, key, request, task_id, created_at)"
    "  SELECT user_id, $4, decode($5, 'hex'), id, created_at FROM made"
    ") SELECT " TASK_COLUMNS
    ", false AS is_repeat, true AS is_same FROM made"
    " UNION ALL"
    " SELECT task_id, $2, $3, false, $1, created_at, created_at, true, is_same FROM first";

constexpr char kIsUsed[] = "SELECT FROM todo_idempotency WHERE user_id = $1 AND key = $2";

http::Error still_running() {
  http::Error error(409, "conflict", "A request with this Idempotency-Key is still running");
  error.headers.emplace_back("Retry-After", "1");
  return error;
}

db::Result create_once(std::string_view key, const http::Request& request, const auth::User& user,
                       db::Param title, db::Param description, db::Connection& database) {
  const std::string hash = encoding::hex(crypto::sha256(request.raw_body()));
  try {
    db::Result result =
        database.run_as(user.id, kCreateOnce, {user.id, title, description, key, hash});
    if (result.rows() == 0) throw still_running();
    if (!result.boolean(0, 8))
      throw http::Error::invalid("Idempotency-Key", "same_body", "was used with another body");
    return result;
  } catch (const db::Error& error) {
    // Another request got ready with this key meanwhile? The constraint's name does not always
    // tell: of a table that is spread over several, each part has its own; of one that is spread
    // over several machines it is not passed on, and Citus may call the violation an internal error
    // besides.
    if ((error.sqlstate == "23505" || error.sqlstate == "XX000") &&
        database.run_as(user.id, kIsUsed, {user.id, key}).rows() != 0)
      throw still_running();
    throw;
  }
}

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const json::Value body = request.body();
  task::Input input(body);
  const auto title = input.title(true);
  const auto description = input.description();
  input.check();

  const auto key = precondition::idempotency_key(request);
  const db::Result created = key ? create_once(*key, request, user, title, description, database)
                                 : database.run_as(user.id, kCreate, {user.id, title, description});
  http::Response response = task::response(201, request, created);
  response.add("Location", "/api/" + uri::percent_encode(user.id) + "/tasks/" +
                               std::to_string(created.integer(0, 0)));
  if (key && created.boolean(0, 7)) response.add("Idempotent-Replayed", "true");
  return response;
}

constexpr route::Route kRoutes[] = {{http::POST, TASKS_PATH, handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_create", kRoutes, argc, argv); }
