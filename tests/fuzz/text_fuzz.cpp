// lib/utf8 and lib/encoding: repairs are valid and change nothing that was; codes decode to
// themselves and have one spelling.
#include "lib/encoding.h"
#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

void fuzz(std::string_view input) {
  const std::string repaired = utf8::repaired(input);
  REQUIRE(utf8::is_valid(repaired));
  REQUIRE(utf8::is_valid(input) == (repaired == input));
  const std::size_t points = utf8::code_points(repaired);
  const std::size_t units = utf8::utf16_units(repaired);
  REQUIRE(points <= units && units <= 2 * points && repaired.size() <= 4 * points);
  const std::string_view trimmed = utf8::trimmed(repaired);
  REQUIRE(utf8::is_valid(trimmed) && utf8::trimmed(trimmed) == trimmed);
  REQUIRE(utf8::is_blank(repaired) == trimmed.empty());
  const std::string normal = utf8::nfkc(repaired);
  REQUIRE(utf8::is_valid(normal) && utf8::nfkc(normal) == normal);
  REQUIRE(utf8::ascii_lower(utf8::ascii_lower(input)) == utf8::ascii_lower(input));

  REQUIRE(encoding::from_base64url(encoding::base64url(input)) == input);
  REQUIRE(encoding::from_hex(encoding::hex(input)) == input);
  if (const auto bytes = encoding::from_base64url(input))
    REQUIRE(encoding::base64url(*bytes) == input);
  if (const auto bytes = encoding::from_hex(input)) REQUIRE(encoding::hex(*bytes) == input);
}
