// A task: its columns, its JSON form, the rules for its texts, and where tasks are found (contract
// tasks-api, sections 1, 2, 5 and 8). Must not know: statements that only one handler uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/auth.h"
#include "lib/db.h"
#include "lib/http.h"
#include "lib/json.h"

// The forms of a user's collection: /api/tasks, /api/v1/tasks, /api/users/{user_id}/tasks and the
// canonical /api/{user_id}/tasks.
#define TASKS_PATH "/api(/v1|/users/{user_id}|/{user_id})?/tasks"

// What to_json() reads, in this order.
#define TASK_COLUMNS "id, title, description, completed, user_id, created_at, updated_at"

// The new `updated_at` of a changed row: the present, but always later than the last change, so
// that no two versions of a task have the same time.
#define TASK_TOUCHED "updated_at = GREATEST(now(), updated_at + interval '1 microsecond')"

namespace task {

inline constexpr std::size_t kMaxTitle = 200;         // code points
inline constexpr std::size_t kMaxDescription = 5000;  // code points

// The user of the token, who must be the user in the path. Throws 401; 413 for a body that is too
// large, which is only looked at after that.
auth::User owner(const http::Request& request, db::Connection& database);

// The {id} of the path as text in canonical decimal form. Throws 422 for what is no number, 404
// for a number that no task can have.
std::string id_from(const http::Request& request);

// Collects the faults of a body's members, in the order in which they are asked for.
class Input {
 public:
  explicit Input(const json::Value& body) : body_(body) {}

  // The member as text if it is there and right; nullopt if it is missing or wrong.
  std::optional<std::string> title(bool required);
  // Is the member there at all (null counts)?
  bool has_description() const { return body_.find("description") != nullptr; }
  // nullopt if it is null, missing or wrong.
  std::optional<std::string> description();
  std::optional<bool> completed();

  // Throws 422 if any of the above was wrong.
  void check() const;

 private:
  std::optional<std::string> text(std::string_view name, std::string_view rule,
                                  const json::Value& value);
  void fault(std::string_view field, std::string_view constraint, std::string_view message);

  const json::Value& body_;
  std::vector<http::Fault> faults_;
};

// Row `row` of a result whose first columns are TASK_COLUMNS.
void append_json(json::Writer& out, const db::Result& result, int row, bool camel_case);
http::Response response(int status, const http::Request& request, const db::Result& result);

}  // namespace task
