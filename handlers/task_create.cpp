// POST {tasks}: a new task of the caller, not completed.
// Contract: tasks-api, sections 2.2, 4 and 5. Must not know: how tokens are verified, how a request
// arrives.
#include "lib/route.h"
#include "lib/task.h"
#include "lib/uri.h"

namespace {

constexpr char kCreate[] =
    "INSERT INTO task (user_id, title, description) VALUES ($1, $2, $3)"
    " RETURNING " TASK_COLUMNS;

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const json::Value body = request.body();
  task::Input input(body);
  const auto title = input.title(true);
  const auto description = input.description();
  input.check();

  const db::Result created = database.run_as(user.id, kCreate, {user.id, title, description});
  return task::response(201, request, created)
      .add("Location", "/api/" + uri::percent_encode(user.id) + "/tasks/" +
                           std::to_string(created.integer(0, 0)));
}

constexpr route::Route kRoutes[] = {{http::POST, TASKS_PATH, handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_create", kRoutes, argc, argv); }
