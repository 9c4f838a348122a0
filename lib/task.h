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
#include "lib/precondition.h"

// The forms of a user's collection: /api/tasks, /api/v1/tasks, /api/users/{user_id}/tasks and the
// canonical /api/{user_id}/tasks.
#define TASKS_PATH "/api(/v1|/users/{user_id}|/{user_id})?/tasks"

// What to_json() reads, in this order.
#define TASK_COLUMNS "id, title, description, completed, user_id, created_at, updated_at"

// The new `updated_at` of a changed row: the present, but always later than the last change, so
// that no two versions of a task have the same time. By way of UTC, because a sum that may depend on
// the session's time zone (STABLE) is nothing that Citus lets a distributed UPDATE make of a column.
#define TASK_TOUCHED                                            \
  "updated_at = GREATEST(now(), (updated_at AT TIME ZONE 'UTC'" \
  " + interval '1 microsecond') AT TIME ZONE 'UTC')"

// The row that a write is to change: $1 the owner, $2 the id, $3 and $4 a Condition. A statement
// that had to wait for another one's commit looks at all of this again (READ COMMITTED), so of two
// writes that ask for the same version only one finds it.
#define TASK_SELECTED                                                        \
  "user_id = $1 AND id = $2::bigint"                                         \
  " AND ($3::timestamptz[] IS NULL OR updated_at = ANY ($3::timestamptz[]))" \
  " AND ($4::timestamptz[] IS NULL OR updated_at <> ALL ($4::timestamptz[]))"

namespace task {

inline constexpr std::size_t kMaxTitle = 200;         // code points
inline constexpr std::size_t kMaxDescription = 5000;  // code points

// The user of the token, who must be the user in the path. Throws 401; 413 for a body that is too
// large, which is only looked at after that.
auth::User owner(const http::Request& request, db::Connection& database);

// The {id} of the path as text in canonical decimal form. Throws 422 for what is no number, 404
// for a number that no task can have.
std::string id_from(const http::Request& request);

// Names one state of one task (contract, section 9). As every write moves `updated_at` and no id is
// used twice, no two states have one name. Also in the name: whether there are camelCase members.
std::string version(std::int64_t id, timestamp::Time updated_at, bool camel_case);

// What If-Match and If-None-Match ask of the task that a request is to change: arrays of
// `updated_at` for TASK_SELECTED; nullopt: any will do.
struct Condition {
  std::optional<std::string> one_of;
  std::optional<std::string> none_of;
};
Condition condition_from(const http::Request& request, std::string_view id);

// Why a statement with TASK_SELECTED found nothing: 404 or 412. The statement has decided alone;
// this asks for the reason only. A task that is there now was there then, as no id is used twice.
http::Error refusal(const Condition& condition, const auth::User& user, std::string_view id,
                    db::Connection& database);

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
// Row 0, with its version; 304 for a reader who knows it.
http::Response response(int status, const http::Request& request, const db::Result& result);

}  // namespace task
