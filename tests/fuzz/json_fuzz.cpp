// lib/json: what is accepted means one thing, to us and to whoever reads what we write.
#include "lib/json.h"

#include <cmath>
#include <set>

#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_text.h"

namespace {

using json::Policy;
using json::Value;
using json_text::written;

void check(const Value& value, std::size_t depth = 1) {
  if (value.number() != nullptr) REQUIRE(std::isfinite(*value.number()));
  if (value.string() != nullptr) REQUIRE(utf8::is_valid(*value.string()));
  if (value.array() == nullptr && value.object() == nullptr) return;
  REQUIRE(depth <= json::kMaxDepth);
  if (value.array() != nullptr)
    for (const Value& each : *value.array()) check(each, depth + 1);
  if (value.object() == nullptr) return;
  std::set<std::string_view> names;
  for (const auto& [name, content] : *value.object()) {
    REQUIRE(utf8::is_valid(name));
    REQUIRE(names.insert(name).second);
    REQUIRE(value.find(name) == &content);
    check(content, depth + 1);
  }
}

bool has_proto(const Value& value) {
  if (value.array() != nullptr)
    for (const Value& each : *value.array())
      if (has_proto(each)) return true;
  if (value.object() != nullptr)
    for (const auto& [name, content] : *value.object())
      if (name == "__proto__" || has_proto(content)) return true;
  return false;
}

}  // namespace

void fuzz(std::string_view input) {
  const auto token = json::parse(input, Policy::token);
  const auto strict = json::parse(input, Policy::strict);
  const auto lenient = json::parse(input, Policy::lenient);
  // Each policy takes what a stricter one takes, and for the same value.
  REQUIRE(!token || strict);
  REQUIRE(!strict || lenient);
  if (!lenient) return;
  check(*lenient);
  REQUIRE(!has_proto(*lenient));
  if (strict) {
    check(*strict);
    REQUIRE(utf8::is_valid(input) && input.find('\0') == std::string_view::npos);
    if (!has_proto(*strict)) REQUIRE(written(*strict) == written(*lenient));
  }
  if (token) REQUIRE(written(*token) == written(*strict));
  // What we write of it is read alike under every policy.
  const std::string text = written(*lenient);
  for (const Policy policy : {Policy::token, Policy::strict, Policy::lenient}) {
    const auto again = json::parse(text, policy);
    REQUIRE(again && written(*again) == text);
  }
}
