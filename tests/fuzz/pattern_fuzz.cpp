// lib/pattern: every route's pattern takes a path if and only if a regular expression made of it
// does, and captures whole segments. Input: a byte that chooses the route, then a request target.
#include "lib/pattern.h"

#include <algorithm>
#include <memory>
#include <regex>

#include "lib/uri.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr const char* kRoutes[][3] = {
#include "routes.inc"
};

constexpr char kBetween = '\x01';  // instead of '/', which a decoded segment may hold

struct Case {
  pattern::Pattern pattern;
  std::regex expression;
};

std::regex expression_of(std::string_view text) {
  std::string result;
  if (text.starts_with("{auth}")) {
    result = "/api/auth";
    text.remove_prefix(6);
  }
  for (; !text.empty(); text.remove_prefix(1)) {
    if (text.front() == '{') {
      result += "(?!\\.{1,2}(?:\x01|$))[^\x01]+";
      text.remove_prefix(text.find('}'));
    } else {
      result += text.front();
    }
  }
  std::replace(result.begin(), result.end(), '/', kBetween);
  return std::regex(result);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> made;
    for (const auto& route : kRoutes)
      made.push_back({pattern::Pattern(route[2], "/api/auth"), expression_of(route[2])});
    return made;
  }();
  return all;
}

}  // namespace

void fuzz(std::string_view input) {
  if (input.empty()) return;
  const Case& chosen = cases()[static_cast<unsigned char>(input.front()) % cases().size()];
  const auto target = uri::Target::parse(input.substr(1));
  if (!target.well_formed) return;
  std::string joined;
  for (const std::string& segment : target.segments) {
    if (segment.find(kBetween) != std::string::npos) return;
    joined += kBetween + segment;
  }
  if (joined.size() > 200) joined.resize(200);  // libstdc++ matches by recursion
  const auto captures = chosen.pattern.match(target.segments);
  if (joined.size() < 200)
    REQUIRE(captures.has_value() == std::regex_match(joined, chosen.expression));
  if (!captures) return;
  for (const auto& [name, value] : *captures) {
    REQUIRE(!name.empty() && !value.empty() && value != "." && value != "..");
    REQUIRE(std::count(target.segments.begin(), target.segments.end(), value) > 0);
  }
}
