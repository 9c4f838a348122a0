// The parameters of a list of tasks, its envelopes and its links (contract tasks-api, section 7).
// Must not know: SQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/http.h"

namespace list_query {

inline constexpr std::int64_t kMaxLimit = 500;
inline constexpr std::int64_t kDefaultLimit = 50;  // of a page without a limit
inline constexpr std::int64_t kMaxOffset = 2147483647;
inline constexpr std::size_t kMaxSearch = 200;  // code points

enum class Key { created, updated, title, completed, id };

struct Order {
  Key key = Key::created;
  bool descending = true;
  bool operator==(const Order&) const = default;
};

struct ListQuery {
  std::optional<bool> status;     // from `status`: completed ones only, or pending ones only
  std::optional<bool> completed;  // from `completed`; both filters apply
  std::optional<std::string> search;
  std::optional<std::string> updated_since;  // RFC 3339 as PostgreSQL takes it
  Order order;
  std::optional<std::int64_t> limit;  // 1 ... kMaxLimit
  std::int64_t offset = 0;            // of the first row, also where a page was asked for
  std::optional<std::int64_t> page;   // from 1
  env::Settings::Envelope envelope = env::Settings::Envelope::array;

  // Is any task wanted, in the default order?
  bool is_newest_first() const;
  // And all of them at once?
  bool is_plain() const;
};

// Throws 400 for what cannot be decoded, 422 for a value that is not listed.
ListQuery from(const http::Request& request);

struct Counts {
  std::int64_t total = 0;      // of all matches
  std::int64_t completed = 0;  // ditto
  std::int64_t shown = 0;      // in this answer
};

// The body: `tasks` (a JSON array) in the envelope that the query asks for.
std::string enveloped(std::string_view tasks, const ListQuery& query, const Counts& counts);

// The Link header (RFC 8288): first, prev, next, last, as far as they exist. For a query with a
// limit. nullopt if the parameters make it longer than web servers and clients take.
std::optional<std::string> links(const http::Request& request, const ListQuery& query,
                                 std::int64_t total);
inline constexpr std::size_t kMaxLinkBytes = 8192;

}  // namespace list_query
