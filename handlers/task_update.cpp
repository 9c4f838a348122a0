// PUT or PATCH {tasks}/{id}: changes the members that are sent. A missing member stays as it is;
// null clears a description and is refused for the others.
// Contract: tasks-api, section 2.3. Must not know: how tokens are verified, how a request arrives.
#include "lib/route.h"
#include "lib/task.h"

namespace {

// $4 tells "description is not sent" from "description is null".
constexpr char kUpdate[] =
    "UPDATE task"
    "   SET title = COALESCE($3, title),"
    "       description = CASE WHEN $4::boolean THEN $5 ELSE description END,"
    "       completed = COALESCE($6::boolean, completed), " TASK_TOUCHED
    " WHERE user_id = $1 AND id = $2::bigint RETURNING " TASK_COLUMNS;

db::Param text_of(const std::optional<bool>& flag) {
  if (!flag) return std::nullopt;
  return *flag ? "true" : "false";
}

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const std::string id = task::id_from(request);
  const json::Value body = request.body();
  task::Input input(body);
  const auto title = input.title(false);
  const auto description = input.description();
  const auto completed = input.completed();
  input.check();

  const db::Result changed = database.run(
      kUpdate,
      {user.id, id, title, text_of(input.has_description()), description, text_of(completed)});
  if (changed.rows() == 0) throw http::Error::not_found();
  return task::response(200, request, changed);
}

constexpr route::Route kRoutes[] = {{http::PUT | http::PATCH, TASKS_PATH "/{id}", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_update", kRoutes, argc, argv); }
