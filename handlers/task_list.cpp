// GET {tasks}: the caller's tasks, newest first, or filtered, searched, sorted and paged.
// Contract: tasks-api, section 7. Must not know: how tokens are verified, how a request arrives.
#include "lib/list_query.h"
#include "lib/route.h"
#include "lib/task.h"

namespace {

// What most clients ask for, answered straight from the index.
constexpr char kAll[] =
    "SELECT " TASK_COLUMNS " FROM task WHERE user_id = $1 ORDER BY created_at DESC, id DESC";

// All else. The counts are of all matches, so they come with every row, and alone (with NULL
// columns beside them) when the page is empty.
#define LIST_IN_ORDER(ORDER)                                                             \
  "WITH matches AS ("                                                                    \
  "  SELECT " TASK_COLUMNS                                                               \
  "    FROM task"                                                                        \
  "   WHERE user_id = $1"                                                                \
  "     AND ($2::boolean IS NULL OR completed = $2::boolean)"                            \
  "     AND ($3::boolean IS NULL OR completed = $3::boolean)"                            \
  "     AND ($4::text IS NULL OR position(lower($4) IN lower(title)) > 0"                \
  "                           OR position(lower($4) IN lower(description)) > 0)"         \
  "     AND ($5::timestamptz IS NULL OR updated_at >= $5::timestamptz)"                  \
  "), counts AS ("                                                                       \
  "  SELECT count(id) AS total, count(id) FILTER (WHERE completed) AS done FROM matches" \
  "), page AS ("                                                                         \
  "  SELECT " TASK_COLUMNS " FROM matches ORDER BY " ORDER                               \
  " LIMIT $6::bigint OFFSET $7::bigint"                                                  \
  ") SELECT " TASK_COLUMNS ", total, done FROM counts LEFT JOIN page ON true ORDER BY " ORDER

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
  return kAll;
}

db::Param text_of(const std::optional<bool>& flag) {
  if (!flag) return std::nullopt;
  return *flag ? "true" : "false";
}

std::optional<std::string> text_of(const std::optional<std::int64_t>& number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

struct Page {
  json::Writer tasks;  // the array
  list_query::Counts counts;
};

Page read_all(const http::Request& request, const auth::User& user, db::Connection& database) {
  const db::Result found = database.run(kAll, {user.id});
  Page page;
  page.tasks.begin_array();
  for (int row = 0; row < found.rows(); ++row) {
    task::append_json(page.tasks, found, row, request.settings().camel_case);
    page.counts.completed += found.boolean(row, 3) ? 1 : 0;
  }
  page.tasks.end_array();
  page.counts.total = page.counts.shown = found.rows();
  return page;
}

Page read_page(const http::Request& request, const list_query::ListQuery& query,
               const auth::User& user, db::Connection& database) {
  const auto limit = text_of(query.limit);
  const auto offset = std::to_string(query.offset);
  const db::Result found = database.run(statement_for(query.order),
                                        {user.id, text_of(query.status), text_of(query.completed),
                                         query.search, query.updated_since, limit, offset});
  Page page;
  page.tasks.begin_array();
  for (int row = 0; row < found.rows() && !found.is_null(row, 0); ++row) {
    task::append_json(page.tasks, found, row, request.settings().camel_case);
    ++page.counts.shown;
  }
  page.tasks.end_array();
  page.counts.total = found.integer(0, 7);
  page.counts.completed = found.integer(0, 8);
  return page;
}

http::Response handle(const http::Request& request, db::Connection& database) {
  const auth::User user = task::owner(request, database);
  const list_query::ListQuery query = list_query::from(request);

  const Page page = query.is_plain() ? read_all(request, user, database)
                                     : read_page(request, query, user, database);
  http::Response response =
      http::Response::json(200, list_query::enveloped(page.tasks.text(), query, page.counts))
          .add("X-Total-Count", std::to_string(page.counts.total));
  if (query.limit) response.add("Link", list_query::links(request, query, page.counts.total));
  return response;
}

constexpr route::Route kRoutes[] = {{http::GET | http::HEAD, TASKS_PATH, handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("task_list", kRoutes, argc, argv); }
