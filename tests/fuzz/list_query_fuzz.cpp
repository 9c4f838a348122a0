// lib/list_query: every query is 400, 422 or a list within its bounds, and its links lead to it.
// Input: a query string.
#include "lib/list_query.h"

#include "lib/timestamp.h"
#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

std::optional<list_query::ListQuery> parsed(const http::Request& request) {
  try {
    return list_query::from(request);
  } catch (const http::Error& error) {
    REQUIRE(error.status == 400 || error.status == 422);
    REQUIRE(utf8::is_valid(error.message));
    REQUIRE((error.status == 422) == !error.faults.empty());
    return std::nullopt;
  }
}

}  // namespace

void fuzz(std::string_view input) {
  const std::string target = "REQUEST_URI=/api/tasks?" + std::string(input);
  const fuzzing::Request fake({"REQUEST_METHOD=GET", target}, "");
  const http::Request request = fake.get();
  const auto list = parsed(request);
  if (!list) return;
  REQUIRE(!list->limit || (*list->limit >= 1 && *list->limit <= list_query::kMaxLimit));
  REQUIRE(list->offset >= 0);
  REQUIRE(!list->page || (list->limit && list->offset == (*list->page - 1) * *list->limit));
  if (list->search) {
    REQUIRE(!list->search->empty() && utf8::is_valid(*list->search));
    REQUIRE(list->search->find('\0') == std::string::npos);
    REQUIRE(utf8::code_points(*list->search) <= list_query::kMaxSearch);
  }
  if (list->updated_since) REQUIRE(timestamp::from_text(*list->updated_since).has_value());
  const std::string body = list_query::enveloped("[]", *list, {7, 3, 2});
  REQUIRE(json::parse(body, json::Policy::token).has_value());
  if (!list->limit) return;

  const auto header = list_query::links(request, *list, 7);
  REQUIRE(header || input.size() > list_query::kMaxLinkBytes / 16);
  if (!header) return;
  const std::string& links = *header;
  REQUIRE(links.size() <= list_query::kMaxLinkBytes);
  REQUIRE(fuzzing::is_one_line(links));
  // The first link is the same list from its beginning.
  REQUIRE(links.starts_with("</api/tasks?"));
  const std::string first = "REQUEST_URI=" + links.substr(1, links.find('>') - 1);
  const fuzzing::Request again({"REQUEST_METHOD=GET", first}, "");
  const auto same = parsed(again.get());
  REQUIRE(same && same->offset == 0 && same->limit == list->limit && same->order == list->order);
  REQUIRE(same->status == list->status && same->completed == list->completed);
  REQUIRE(same->search == list->search && same->updated_since == list->updated_since);
}
