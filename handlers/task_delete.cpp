// DELETE {tasks}/{id}: removes a task of the caller for good.
// Contract: tasks-api, sections 1, 8 and 9. Must not know: how tokens are verified, how a request
// arrives.
#include "lib/route.h"
#include "lib/task.h"

namespace {

constexpr char kDelete[] = "DELETE FROM task WHERE " TASK_SELECTED " RETURNING id";

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const std::string id = task::id_from(request);

  const task::Condition condition = task::condition_from(request, id);
  if (database.run_as(user.id, kDelete, {user.id, id, condition.one_of, condition.none_of})
          .rows() == 0)
    throw task::refusal(condition, user, id, database);
  return http::Response::no_content();
}

constexpr route::Route kRoutes[] = {{http::DELETE, TASKS_PATH "/{id}", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_delete", kRoutes, argc, argv); }
