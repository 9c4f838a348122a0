// PATCH, POST or PUT {tasks}/{id}/complete (or /toggle): flips `completed`, or sets it to the value
// that body or query names, which makes a repeat harmless.
// Contract: tasks-api, sections 6 and 9. Must not know: how tokens are verified, how a request
// arrives.
#include "lib/route.h"
#include "lib/task.h"

namespace {

// One atomic statement: n parallel flips flip n times.
constexpr char kComplete[] =
    "UPDATE task SET completed = COALESCE($5::boolean, NOT completed), " TASK_TOUCHED
    " WHERE " TASK_SELECTED " RETURNING " TASK_COLUMNS;

// The wanted value; nullopt: flip. Clients of both kinds exist, so body and query both count.
std::optional<bool> wanted_value(const http::Request& request) {
  const json::Value content = request.optional_body();
  task::Input input(content);
  const auto body = input.completed();
  input.check();
  const auto query = request.query().flag({"completed"});
  if (body && query && *body != *query)
    throw http::Error::invalid("completed", "one_value", "differs between body and query");
  return body ? body : query;
}

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const std::string id = task::id_from(request);
  const auto wanted = wanted_value(request);
  const db::Param value = wanted ? db::Param(*wanted ? "true" : "false") : std::nullopt;

  const task::Condition condition = task::condition_from(request, id);
  const db::Result changed = database.run_as(
      user.id, kComplete, {user.id, id, condition.one_of, condition.none_of, value});
  if (changed.rows() == 0) throw task::refusal(condition, user, id, database);
  return task::response(200, request, changed);
}

constexpr route::Route kRoutes[] = {
    {http::PATCH | http::POST | http::PUT, TASKS_PATH "/{id}/(complete|toggle)", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_complete", kRoutes, argc, argv); }
