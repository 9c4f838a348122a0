// PUT or PATCH {tasks}/{id}: changes the members that are sent. A missing member stays as it is;
// null clears a description and is refused for the others.
// Contract: tasks-api, sections 2.3 and 9. Must not know: how tokens are verified, how a request
// arrives.
#include "lib/route.h"
#include "lib/task.h"

namespace {

// $6 tells "description is not sent" from "description is null".
constexpr char kUpdate[] =
    "UPDATE task"
    "   SET title = COALESCE($5, title),"
    "       description = CASE WHEN $6::boolean THEN $7 ELSE description END,"
    "       completed = COALESCE($8::boolean, completed), " TASK_TOUCHED " WHERE " TASK_SELECTED
    " RETURNING " TASK_COLUMNS;

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

  const task::Condition condition = task::condition_from(request, id);
  const db::Result changed =
      database.run_as(user.id, kUpdate,
                      {user.id, id, condition.one_of, condition.none_of, title,
                       text_of(input.has_description()), description, text_of(completed)});
  if (changed.rows() == 0) throw task::refusal(condition, user, id, database);
  return task::response(200, request, changed);
}

constexpr route::Route kRoutes[] = {{http::PUT | http::PATCH, TASKS_PATH "/{id}", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_update", kRoutes, argc, argv); }
