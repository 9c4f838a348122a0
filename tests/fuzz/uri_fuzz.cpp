// lib/uri: a target is split and decoded once; what is encoded decodes to itself.
// Input: a text, and on two more lines a name and a value.
#include "lib/uri.h"

#include <algorithm>

#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

bool is_text(std::string_view text) {
  return utf8::is_valid(text) && text.find('\0') == std::string_view::npos;
}

void check_codes(std::string_view text) {
  for (const uri::Plus plus : {uri::Plus::is_plus, uri::Plus::is_space}) {
    const auto decoded = uri::percent_decode(text, plus);
    if (!decoded) continue;
    REQUIRE(is_text(*decoded));
    REQUIRE(uri::percent_decode(uri::percent_encode(*decoded)) == decoded);
    REQUIRE(uri::percent_decode(uri::form_encode(*decoded), uri::Plus::is_space) == decoded);
  }
  const auto back = uri::percent_decode(uri::percent_encode(text));
  REQUIRE(back.has_value() == is_text(text));
  REQUIRE(!back || *back == text);
  REQUIRE(fuzzing::is_one_line(uri::percent_encode(text)));
  REQUIRE(fuzzing::is_one_line(uri::form_encode(text)));
}

void check_target(std::string_view text) {
  const auto target = uri::Target::parse(text);
  REQUIRE(target.path.starts_with('/'));
  REQUIRE(target.path.find('?') == std::string::npos);
  if (text.starts_with('/')) REQUIRE(text.starts_with(target.path));
  if (!target.well_formed) {
    REQUIRE(target.segments.empty());
    return;
  }
  std::string path;
  for (const std::string& segment : target.segments) {
    REQUIRE(is_text(segment));
    path += "/" + uri::percent_encode(segment);
  }
  if (target.trailing_slash) path += '/';
  if (path.empty()) path = "/";
  const auto again = uri::Target::parse(path);
  REQUIRE(again.well_formed && again.segments == target.segments);
  REQUIRE(again.trailing_slash == target.trailing_slash);
}

void check_form(std::string_view text) {
  const auto pairs = uri::parse_form(text);
  if (!pairs) return;
  std::string written;
  for (const auto& [name, value] : *pairs)
    written += uri::form_encode(name) + "=" + uri::form_encode(value) + "&";
  REQUIRE(uri::parse_form(written) == pairs);
}

void check_parameter(std::string_view url, std::string_view name, std::string_view value) {
  if (!is_text(name) || !is_text(value)) return;
  const std::string longer = uri::with_parameter(url, name, value);
  const std::size_t hash = std::min(longer.find('#'), longer.size());
  REQUIRE(longer.substr(hash) == url.substr(std::min(url.find('#'), url.size())));
  const std::size_t question = longer.find('?');
  REQUIRE(question < hash);
  const auto pairs =
      uri::parse_form(std::string_view(longer).substr(question + 1, hash - question - 1));
  if (!pairs) return;  // the query that was there cannot be decoded
  REQUIRE(!pairs->empty() && pairs->back().first == name && pairs->back().second == value);
}

}  // namespace

void fuzz(std::string_view input) {
  const std::string_view text = fuzzing::take_line(input);
  const std::string_view name = fuzzing::take_line(input);
  check_codes(text);
  check_codes(input);
  check_target(text);
  check_form(text);
  check_parameter(text, name, input);
}
