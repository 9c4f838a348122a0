#include "lib/task.h"

#include <charconv>

#include "lib/utf8.h"

namespace task {
namespace {

constexpr std::string_view kTitleRule = "min_length=1, max_length=200";
constexpr std::string_view kDescriptionRule = "max_length=5000";
constexpr std::string_view kLargestId = "9223372036854775807";

constexpr std::string_view kCamelCase = "-c";  // at the end of a version

// PostgreSQL has no year 0, and the wire no year 10000.
constexpr timestamp::Time kFirstTime = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
constexpr timestamp::Time kEndOfTime = std::chrono::sys_days(std::chrono::year(10000) / 1 / 1);

// The `updated_at` that a version names; nullopt if it is not one that version() makes for this
// task.
std::optional<timestamp::Time> time_of(std::string_view named, std::int64_t id, bool camel_case) {
  const std::size_t dash = named.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  std::int64_t microseconds = 0;
  std::from_chars(named.data() + dash + 1, named.data() + named.size(), microseconds);
  const timestamp::Time time{std::chrono::microseconds(microseconds)};
  if (time < kFirstTime || time >= kEndOfTime || version(id, time, camel_case) != named)
    return std::nullopt;
  return time;
}

std::string array_of(const precondition::Tags& tags, std::int64_t id, bool camel_case) {
  std::string array = "{";
  for (const std::string_view tag : tags.opaque) {
    const auto time = time_of(tag, id, camel_case);
    if (!time) continue;
    if (array.size() > 1) array += ',';
    array += timestamp::to_exact_text(*time);
  }
  return array + "}";
}

http::Error invalid_id() {
  return http::Error::invalid("task_id", "type=integer", "must be a whole number");
}

}  // namespace

auth::User owner(const http::Request& request, db::Connection& database) {
  auth::User user = auth::require_user(request, database);
  if (const auto in_path = request.path_parameter("user_id"); in_path && *in_path != user.id) {
    // "/api/tasks/tasks" is the collection of a user called "tasks", for that user alone; for all
    // others it is the task "tasks" of "/api/tasks" (contract, section 1.1).
    if (request.target().segments == std::vector<std::string>{"api", "tasks", "tasks"})
      throw invalid_id();
    throw auth::unauthorized(true);
  }
  request.require_acceptable_size();
  return user;
}

std::string id_from(const http::Request& request) {
  std::string digits = request.path_parameter("id").value_or("");
  const bool negative = digits.starts_with('-');
  if (negative) digits.erase(0, 1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos)
    throw invalid_id();
  digits.erase(0, digits.find_first_not_of('0'));
  const bool too_large = digits.size() > kLargestId.size() ||
                         (digits.size() == kLargestId.size() && digits > kLargestId);
  if (negative || digits.empty() || too_large) throw http::Error::not_found();
  return digits;
}

std::string version(std::int64_t id, timestamp::Time updated_at, bool camel_case) {
  std::string name =
      std::to_string(id) + "-" + std::to_string(updated_at.time_since_epoch().count());
  if (camel_case) name += kCamelCase;
  return name;
}

Condition condition_from(const http::Request& request, std::string_view id) {
  std::int64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number);
  const bool camel_case = request.settings().camel_case;
  Condition condition;
  if (const auto tags = precondition::if_match(request); tags && !tags->any)
    condition.one_of = array_of(*tags, number, camel_case);
  if (const auto tags = precondition::if_none_match(request)) {
    if (tags->any)
      condition.one_of = "{}";  // no task may be there
    else
      condition.none_of = array_of(*tags, number, camel_case);
  }
  return condition;
}

http::Error refusal(const Condition& condition, const auth::User& user, std::string_view id,
                    db::Connection& database) {
  constexpr char kExists[] = "SELECT id FROM task WHERE user_id = $1 AND id = $2::bigint";
  const bool asked = condition.one_of || condition.none_of;
  if (!asked || database.run_as(user.id, kExists, {user.id, id}).rows() == 0)
    return http::Error::not_found();
  return precondition::failed();
}

void Input::fault(std::string_view field, std::string_view constraint, std::string_view message) {
  faults_.push_back({std::string(field), std::string(constraint), std::string(message)});
}

// The text of a string member that the database can hold.
std::optional<std::string> Input::text(std::string_view name, std::string_view rule,
                                       const json::Value& value) {
  const std::string* content = value.string();
  if (content == nullptr)
    fault(name, rule, "must be a string");
  else if (!value.well_formed())
    fault(name, "well_formed_unicode", "must not contain half of a surrogate pair");
  else if (content->find('\0') != std::string::npos)
    fault(name, "no_nul", "must not contain the character U+0000");
  else
    return *content;
  return std::nullopt;
}

std::optional<std::string> Input::title(bool required) {
  const json::Value* value = body_.find("title");
  if (value == nullptr) {
    if (required) fault("title", kTitleRule, "is required and must have 1 to 200 characters");
    return std::nullopt;
  }
  auto content = text("title", kTitleRule, *value);
  if (!content) return std::nullopt;
  if (utf8::is_blank(*content)) {
    fault("title", kTitleRule, "is required and must have 1 to 200 characters");
    return std::nullopt;
  }
  if (utf8::code_points(*content) > kMaxTitle) {
    fault("title", kTitleRule, "must have 1 to 200 characters");
    return std::nullopt;
  }
  return content;
}

std::optional<std::string> Input::description() {
  const json::Value* value = body_.find("description");
  if (value == nullptr || value->is(json::Kind::null)) return std::nullopt;
  auto content = text("description", kDescriptionRule, *value);
  if (content && utf8::code_points(*content) > kMaxDescription) {
    fault("description", kDescriptionRule, "must have at most 5000 characters");
    return std::nullopt;
  }
  return content;
}

std::optional<bool> Input::completed() {
  const json::Value* value = body_.find("completed");
  if (value == nullptr) return std::nullopt;
  if (value->boolean() == nullptr) {
    fault("completed", "type=boolean", "must be true or false");
    return std::nullopt;
  }
  return *value->boolean();
}

void Input::check() const {
  if (!faults_.empty()) throw http::Error::invalid(faults_);
}

// Member by member by hand: a list is mostly this.
void append_json(json::Writer& out, const db::Result& result, int row, bool camel_case) {
  const std::string_view user_id = result.text(row, 4);
  const timestamp::Time created = result.time(row, 5);
  const timestamp::Time updated = result.time(row, 6);
  std::string text;
  text.reserve(512);
  text.append("{\"id\":").append(std::to_string(result.integer(row, 0)));
  json::append_string(text.append(",\"title\":"), result.text(row, 1));
  text.append(",\"description\":");
  if (result.is_null(row, 2))
    text.append("null");
  else
    json::append_string(text, result.text(row, 2));
  text.append(result.boolean(row, 3) ? ",\"completed\":true" : ",\"completed\":false");
  json::append_string(text.append(",\"user_id\":"), user_id);
  timestamp::append_text(text.append(",\"created_at\":\""), created);
  timestamp::append_text(text.append("\",\"updated_at\":\""), updated);
  if (camel_case) {
    json::append_string(text.append("\",\"userId\":"), user_id);
    timestamp::append_text(text.append(",\"createdAt\":\""), created);
    timestamp::append_text(text.append("\",\"updatedAt\":\""), updated);
  }
  out.raw(text.append("\"}"));
}

http::Response response(int status, const http::Request& request, const db::Result& result) {
  const bool camel_case = request.settings().camel_case;
  json::Writer out;
  append_json(out, result, 0, camel_case);
  return precondition::tagged(request, http::Response::json(status, out.take()),
                              version(result.integer(0, 0), result.time(0, 6), camel_case));
}

}  // namespace task
