// GET {tasks}: the caller's tasks, newest first, or filtered, searched, sorted and paged; 304 for
// who knows their version. Contract: tasks-api, sections 7 and 9. Must not know: how tokens are
// verified, how a request arrives.
#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/list_query.h"
#include "lib/route.h"
#include "lib/task.h"

namespace {

// What most clients ask for, answered straight from the index.
constexpr char kAll[] =
    "SELECT " TASK_COLUMNS " FROM task WHERE user_id = $1 ORDER BY created_at DESC, id DESC";

// The version of a list: SHA-256 over what was asked (a hash again, $2), the id and `updated_at` of
// each row in order, and both counts; the first half of it. The pairs are enough, because no id is
// used twice and every write moves `updated_at`, always forward. Less is not: `updated_at` is the
// begin of a transaction, so one that commits late brings a time that is older than the newest one
// of a list that was read before, and neither count nor max(updated_at) moves. A counter for each
// user would be exact too, but would make every write of a user wait for the one before.
// PostgreSQL calculates it where a reader has a version already ($3, else NULL), so that an
// unchanged list is neither read nor sent; otherwise class Version does, from the rows that are
// sent anyway. If the two ever differed, a reader would get a whole list, never an old one.
// MATERIALIZED below, or it would be calculated again for each row.
#define LIST_VERSION(ROWS)                                                                   \
  "CASE WHEN $3::text[] IS NOT NULL THEN"                                                    \
  " (SELECT left(encode(sha256(decode($2, 'hex')"                                            \
  "    || COALESCE(string_agg(int8send(id) || timestamptz_send(updated_at), ''::bytea), '')" \
  "    || int8send(total) || int8send(done)), 'hex'), 32) FROM " ROWS ") END AS version"
#define LIST_COLUMNS TASK_COLUMNS ", total, done, version"
#define LIST_IS_NEW "($3::text[] IS NULL OR version <> ALL ($3::text[]))"

// All tasks or a page of them, in the usual order: reads no more rows than it sends, besides
// counting them in the index. $6: is the number of completed ones wanted?
#define NEWEST_FIRST "FROM task WHERE user_id = $1 ORDER BY created_at DESC, id DESC"
#define PAGE " LIMIT $4::bigint OFFSET $5::bigint"
constexpr char kNewest[] =
    "WITH counts AS ("
    "  SELECT count(*) AS total, CASE WHEN $6::boolean THEN"
    "         (SELECT count(*) FROM task WHERE user_id = $1 AND completed) ELSE 0 END AS done"
    "    FROM task WHERE user_id = $1"
    "), known AS MATERIALIZED ("
    "  SELECT total, done, " LIST_VERSION("(SELECT id, updated_at " NEWEST_FIRST PAGE ") AS page")
    " FROM counts"
    ") SELECT " LIST_COLUMNS " FROM known LEFT JOIN LATERAL (SELECT " TASK_COLUMNS " FROM task"
    " WHERE user_id = $1 AND " LIST_IS_NEW " ORDER BY created_at DESC, id DESC" PAGE
    ") AS page ON true ORDER BY created_at DESC, id DESC";

// All else. The counts are of all matches, so they come with every row, and alone (with NULL
// columns beside them) when there is no row.
#define LIST_IN_ORDER(ORDER) \
  "WITH matches AS ("                                                                      \
  "  SELECT " TASK_COLUMNS                                                                 \
  "    FROM task"                                                                          \
  "   WHERE user_id = $1"                                                                  \
  "     AND ($6::boolean IS NULL OR completed = $6::boolean)"                              \
  "     AND ($7::boolean IS NULL OR completed = $7::boolean)"                              \
  "     AND ($8::text IS NULL OR position(lower($8) IN lower(title)) > 0"                  \
  "                           OR position(lower($8) IN lower(description)) > 0)"           \
  "     AND ($9::timestamptz IS NULL OR updated_at >= $9::timestamptz)"                    \
  "), counts AS ("                                                                         \
  "  SELECT count(id) AS total, count(id) FILTER (WHERE completed) AS done FROM matches"   \
  "), page AS ("                                                                           \
  "  SELECT " TASK_COLUMNS " FROM matches ORDER BY " ORDER PAGE                            \
  "), known AS MATERIALIZED ("                                                             \
  "  SELECT total, done, " LIST_VERSION("page") " FROM counts"                             \
  ") SELECT " LIST_COLUMNS " FROM known LEFT JOIN page ON " LIST_IS_NEW " ORDER BY " ORDER

// Ties are always in the order of the id, newest first, so that pages do not overlap.
const char* statement_for(const list_query::Order& order) {
  using Key = list_query::Key;
  switch (order.key) {
    case Key::created:
      return order.descending ? LIST_IN_ORDER("created_at DESC, id DESC")
                              : LIST_IN_ORDER("created_at ASC, id DESC");
    case Key::updated:
      return order.descending ? LIST_IN_ORDER("updated_at DESC, id DESC")
                              : LIST_IN_ORDER("updated_at ASC, id DESC");
    case Key::title:
      return order.descending ? LIST_IN_ORDER("lower(title) DESC, id DESC")
                              : LIST_IN_ORDER("lower(title) ASC, id DESC");
    case Key::completed:
      return order.descending ? LIST_IN_ORDER("completed DESC, id DESC")
                              : LIST_IN_ORDER("completed ASC, id DESC");
    case Key::id:
      return order.descending ? LIST_IN_ORDER("id DESC") : LIST_IN_ORDER("id ASC");
  }
  return nullptr;
}

db::Param text_of(const std::optional<bool>& flag) {
  if (!flag) return std::nullopt;
  return *flag ? "true" : "false";
}

std::optional<std::string> text_of(const std::optional<std::int64_t>& number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

constexpr std::size_t kVersionLength = 32;

// See LIST_VERSION.
class Version {
 public:
  explicit Version(std::string form) : bytes_(std::move(form)) {}

  void add(std::int64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes_ += static_cast<char>(number >> shift);
  }
  void add(timestamp::Time time) {
    constexpr timestamp::Time kEpoch = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
    add((time - kEpoch).count());
  }
  std::string name() const {
    return encoding::hex(crypto::sha256(bytes_)).substr(0, kVersionLength);
  }

 private:
  std::string bytes_;
};

// The parameters as sent, as an address has its own versions anyway; the settings that shape the
// answer; and the user, because a browser keeps /api/tasks of one user when the next one signs in.
std::string form_of(const http::Request& request, const list_query::ListQuery& query,
                    const auth::User& user) {
  return crypto::sha256(user.id + "\n" + request.target().query + "\n" +
                        std::to_string(static_cast<int>(query.envelope)) +
                        (request.settings().camel_case ? "c" : ""));
}

// The versions that the reader has, as an array; nullopt if there is none that we could have made.
std::optional<std::string> known_versions(const http::Request& request) {
  const auto tags = precondition::if_none_match(request);
  std::string array;
  for (const std::string_view tag : tags ? tags->opaque : std::vector<std::string_view>())
    if (tag.size() == kVersionLength && encoding::from_hex(tag))
      array.append(array.empty() ? "{" : ",").append(tag);
  if (array.empty()) return std::nullopt;
  return array + "}";
}

bool wants_completed_count(const list_query::ListQuery& query) {
  return query.envelope == env::Settings::Envelope::tasks;
}

db::Result found_by(const list_query::ListQuery& query, const auth::User& user,
                    std::string_view form, const std::optional<std::string>& known,
                    db::Connection& database) {
  const auto limit = text_of(query.limit);
  const auto offset = std::to_string(query.offset);
  const db::Param counts_completed = wants_completed_count(query) ? "true" : "false";
  if (query.is_newest_first())
    return database.run_as(user.id, kNewest,
                           {user.id, form, known, limit, offset, counts_completed});
  return database.run_as(user.id, statement_for(query.order),
                         {user.id, form, known, limit, offset, text_of(query.status),
                          text_of(query.completed), query.search, query.updated_since});
}

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const list_query::ListQuery query = list_query::from(request);
  const std::string form = form_of(request, query, user);
  const auto known = known_versions(request);
  const bool is_whole = query.is_plain() && !known;
  const db::Result found = is_whole ? database.run_as(user.id, kAll, {user.id})
                                    : found_by(query, user, encoding::hex(form), known, database);

  json::Writer tasks;
  list_query::Counts counts;
  Version version(form);
  tasks.begin_array();
  for (int row = 0; row < found.rows() && !found.is_null(row, 0); ++row, ++counts.shown) {
    task::append_json(tasks, found, row, request.settings().camel_case);
    version.add(found.integer(row, 0));
    version.add(found.time(row, 6));
    counts.completed += wants_completed_count(query) && found.boolean(row, 3) ? 1 : 0;
  }
  tasks.end_array();
  counts.total = is_whole ? counts.shown : found.integer(0, 7);
  if (!is_whole) counts.completed = found.integer(0, 8);
  version.add(counts.total);
  version.add(counts.completed);

  http::Response response =
      http::Response::json(200, list_query::enveloped(tasks.text(), query, counts))
          .add("X-Total-Count", std::to_string(counts.total));
  if (query.limit)
    if (auto links = list_query::links(request, query, counts.total))
      response.add("Link", std::move(*links));
  // Without rows, the list is empty or the reader has it: only the database knows which.
  const bool is_unread = known && counts.shown == 0;
  return precondition::tagged(request, std::move(response),
                              is_unread ? std::string(found.text(0, 9)) : version.name());
}

constexpr route::Route kRoutes[] = {{http::GET | http::HEAD, TASKS_PATH, handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_list", kRoutes, argc, argv); }
