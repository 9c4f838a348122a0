// lib/cookie: no header opens without the secret; what is sealed opens as itself.
// Input: a Cookie header, and on further lines a value.
#include "lib/cookie.h"

#include <algorithm>
#include <stdexcept>

#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

void check_header(std::string_view header) {
  for (const std::string& name : cookie::names(header)) {
    REQUIRE(cookie::find(header, name).has_value());
    REQUIRE(!cookie::open(header, name, fuzzing::kSecret));
  }
}

void check_value(std::string_view header, std::string_view value) {
  const std::string sealed = cookie::seal(value, fuzzing::kSecret);
  const bool opens = !value.empty() && utf8::is_valid(value) && value.find('\0') == value.npos;
  const std::string line = "name=" + sealed + "; " + std::string(header);
  const auto opened = cookie::open(line, "name", fuzzing::kSecret);
  REQUIRE(opened.has_value() == opens);
  REQUIRE(!opened || *opened == value);
  REQUIRE(!cookie::open(line, "name", "another secret"));
  std::string altered = "name=" + sealed;
  const std::size_t at = 5 + fuzzing::hash(value) % sealed.size();
  altered[at] = static_cast<char>(altered[at] ^ 1);
  const auto forged = cookie::open(altered, "name", fuzzing::kSecret);
  REQUIRE(!forged || *forged == value);  // "%2a" for "%2A" spells the same
  REQUIRE(fuzzing::is_one_line(cookie::set("name", sealed, {})));
}

}  // namespace

void fuzz(std::string_view input) {
  const std::string_view header = fuzzing::take_line(input);
  check_header(header);
  check_value(header, input);
  try {
    const std::string line = cookie::set(header, input, {std::chrono::seconds(1), true});
    REQUIRE(fuzzing::is_one_line(line));
    REQUIRE(std::count(line.begin(), line.end(), ';') == 5);
  } catch (const std::logic_error&) {
    REQUIRE(header.empty() || header.find_first_of("=;") != header.npos ||
            input.find(';') != input.npos || !fuzzing::is_one_line(header) ||
            !fuzzing::is_one_line(input));
  }
}
