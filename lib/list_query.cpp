#include "lib/list_query.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/timestamp.h"
#include "lib/uri.h"
#include "lib/utf8.h"

namespace list_query {
namespace {

using Envelope = env::Settings::Envelope;
using Found = http::Query::Found;

struct SortName {
  std::string_view name;
  Key key;
};
// due_date and priority are other services' members: their clients get the default order.
constexpr std::array<SortName, 17> kSortNames{{{"created", Key::created},
                                               {"created_at", Key::created},
                                               {"createdAt", Key::created},
                                               {"created_date", Key::created},
                                               {"date", Key::created},
                                               {"due_date", Key::created},
                                               {"dueDate", Key::created},
                                               {"priority", Key::created},
                                               {"updated", Key::updated},
                                               {"updated_at", Key::updated},
                                               {"updatedAt", Key::updated},
                                               {"title", Key::title},
                                               {"alphabetical", Key::title},
                                               {"name", Key::title},
                                               {"completed", Key::completed},
                                               {"status", Key::completed},
                                               {"id", Key::id}}};

[[noreturn]] void refuse(const Found& found, std::string constraint) {
  throw http::Error::invalid(found.name, std::move(constraint), "has a value that is not allowed");
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<bool> status_filter(const http::Query& query) {
  const auto found = query.find({"status", "status_filter", "filter"});
  if (!found || found->value == "all") return std::nullopt;
  if (is_one_of(found->value, {"pending", "active", "incomplete", "open", "todo"})) return false;
  if (is_one_of(found->value, {"completed", "complete", "done"})) return true;
  refuse(*found, "one_of=all,pending,completed");
}

bool is_descending(const Found& found, std::string_view word) {
  const std::string lower = utf8::ascii_lower(word);
  if (lower != "asc" && lower != "desc") refuse(found, "one_of=asc,desc");
  return lower == "desc";
}

// "-key" and "key:asc" set the direction themselves, and then `order` does not count.
Order order_from(const http::Query& query) {
  std::optional<bool> descending;
  if (const auto found = query.find({"order", "sort_order", "direction"}))
    descending = is_descending(*found, found->value);
  Order order;
  if (const auto found = query.find({"sort", "sort_by"})) {
    std::string_view name = found->value;
    if (name.starts_with('-')) {
      descending = true;
      name.remove_prefix(1);
    } else if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
      descending = is_descending(*found, name.substr(colon + 1));
      name = name.substr(0, colon);
    }
    const auto known = std::find_if(kSortNames.begin(), kSortNames.end(),
                                    [&](const SortName& each) { return each.name == name; });
    if (known == kSortNames.end()) refuse(*found, "one_of=created,updated,title,completed,id");
    order.key = known->key;
  }
  order.descending = descending.value_or(order.key != Key::title && order.key != Key::completed);
  return order;
}

std::optional<std::int64_t> number(const http::Query& query,
                                   std::initializer_list<std::string_view> names,
                                   std::int64_t least, std::int64_t most) {
  const auto found = query.find(names);
  if (!found) return std::nullopt;
  std::int64_t value = 0;
  const char* end = found->value.data() + found->value.size();
  const auto [stop, error] = std::from_chars(found->value.data(), end, value);
  if (error != std::errc() || stop != end || value < least || value > most)
    throw http::Error::invalid(
        found->name, "min=" + std::to_string(least) + ", max=" + std::to_string(most),
        "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return value;
}

std::optional<std::string> search_from(const http::Query& query) {
  const auto found = query.find({"search", "q"});
  if (!found) return std::nullopt;
  const std::string_view text = utf8::trimmed(found->value);
  if (text.empty()) return std::nullopt;
  if (utf8::code_points(text) > kMaxSearch)
    throw http::Error::invalid(found->name, "max_length=200", "must have at most 200 characters");
  return std::string(text);
}

std::optional<std::string> time_from(const http::Query& query) {
  const auto found = query.find({"updated_since"});
  if (!found) return std::nullopt;
  // An unescaped '+' before the zone has become a blank.
  std::string text = found->value;
  std::replace(text.begin(), text.end(), ' ', '+');
  const auto time = timestamp::from_text(text);
  if (!time)
    throw http::Error::invalid(found->name, "format=date-time", "must be an RFC 3339 time");
  // PostgreSQL takes less than RFC 3339: no year 0, no offset from 16 hours, no 100 decimals.
  constexpr timestamp::Time kFirst = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);
  return timestamp::to_exact_text(std::max(*time, kFirst));
}

constexpr std::array<std::string_view, 4> kEnvelopes{"array", "tasks", "items", "data"};

Envelope envelope_from(const http::Query& query, const env::Settings& settings) {
  const auto found = query.find({"envelope"});
  if (!found) return settings.list_envelope;
  const auto known = std::find(kEnvelopes.begin(), kEnvelopes.end(), found->value);
  if (known == kEnvelopes.end()) refuse(*found, "one_of=array,tasks,items,data");
  return static_cast<Envelope>(known - kEnvelopes.begin());
}

std::int64_t pages(std::int64_t total, std::int64_t limit) {
  return std::max<std::int64_t>(1, (total + limit - 1) / limit);
}

}  // namespace

bool ListQuery::is_newest_first() const {
  return !status && !completed && !search && !updated_since && order == Order{};
}

bool ListQuery::is_plain() const { return is_newest_first() && !limit && offset == 0; }

ListQuery from(const http::Request& request) {
  const http::Query query = request.query();
  ListQuery list;
  list.status = status_filter(query);
  list.completed = query.flag({"completed", "is_completed"});
  list.search = search_from(query);
  list.order = order_from(query);
  list.limit = number(query, {"limit", "page_size", "per_page"}, 1, kMaxLimit);
  const auto offset = number(query, {"offset", "skip"}, 0, kMaxOffset);
  list.page = number(query, {"page"}, 1, kMaxOffset);
  if (list.page && offset)
    throw http::Error::invalid("page", "not_with=offset", "cannot be used together with offset");
  if (list.page && !list.limit) list.limit = kDefaultLimit;
  list.offset = list.page ? (*list.page - 1) * *list.limit : offset.value_or(0);
  list.updated_since = time_from(query);
  list.envelope = envelope_from(query, request.settings());
  return list;
}

std::string enveloped(std::string_view tasks, const ListQuery& query, const Counts& counts) {
  if (query.envelope == Envelope::array) return std::string(tasks);
  json::Writer out;
  out.begin_object()
      .key(kEnvelopes[static_cast<std::size_t>(query.envelope)])
      .raw(tasks)
      .member("total", counts.total);
  if (query.envelope == Envelope::items) {
    const std::int64_t page = query.page    ? *query.page
                              : query.limit ? query.offset / *query.limit + 1
                                            : 1;
    out.member("page", page)
        .member("limit", query.limit)
        .member("skip", query.offset)
        .member("total_pages", query.limit ? pages(counts.total, *query.limit) : std::int64_t{1})
        .member("has_more", query.offset + counts.shown < counts.total);
  } else {
    if (query.envelope == Envelope::tasks) out.member("count", counts.shown);
    out.member("limit", query.limit).member("offset", query.offset);
    if (query.envelope == Envelope::tasks)
      out.member("completed_count", counts.completed)
          .member("pending_count", counts.total - counts.completed);
  }
  return out.end_object().take();
}

std::optional<std::string> links(const http::Request& request, const ListQuery& query,
                                 std::int64_t total) {
  std::string kept = request.target().path + "?";
  const http::Query parameters = request.query();
  for (const auto& [name, value] : parameters.pairs())
    if (name != "page" && name != "offset" && name != "skip")
      kept += uri::form_encode(name) + "=" + uri::form_encode(value) + "&";
  const std::int64_t limit = *query.limit;
  const auto link = [&](std::int64_t offset, std::string_view relation) {
    const std::string place = query.page ? "page=" + std::to_string(offset / limit + 1)
                                         : "offset=" + std::to_string(offset);
    return "<" + kept + place + ">; rel=\"" + std::string(relation) + "\"";
  };
  std::string all = link(0, "first");
  if (query.offset > 0) all += ", " + link(std::max<std::int64_t>(0, query.offset - limit), "prev");
  if (query.offset + limit < total) all += ", " + link(query.offset + limit, "next");
  all += ", " + link((pages(total, limit) - 1) * limit, "last");
  if (all.size() > kMaxLinkBytes) return std::nullopt;
  return all;
}

}  // namespace list_query
