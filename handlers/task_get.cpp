// GET {tasks}/{id}: one task of the caller; 304 for who knows its version.
// Contract: tasks-api, sections 1, 8 and 9. Must not know: how tokens are verified, how a request
// arrives.
#include "lib/route.h"
#include "lib/task.h"

namespace {

// A stranger's task is a missing one.
constexpr char kGet[] = "SELECT " TASK_COLUMNS " FROM task WHERE user_id = $1 AND id = $2::bigint";

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const std::string id = task::id_from(request);

  const db::Result found = database.run_as(user.id, kGet, {user.id, id});
  if (found.rows() == 0) throw http::Error::not_found();
  return task::response(200, request, found);
}

constexpr route::Route kRoutes[] = {{http::GET | http::HEAD, TASKS_PATH "/{id}", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_get", kRoutes, argc, argv); }
