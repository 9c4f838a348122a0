// lib/email against the reference's expression (contract better-auth-wire, section 2.4).
#include "lib/email.h"

#include <regex>

#include "tests/fuzz/fuzz.h"

void fuzz(std::string_view input) {
  static const std::regex kReference(
      R"(^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$)",
      std::regex::optimize);
  const bool valid = email::is_valid(input);
  if (input.size() <= 100)
    REQUIRE(valid == std::regex_match(input.begin(), input.end(), kReference));
  if (valid)
    REQUIRE(fuzzing::is_one_line(input) && input.find_first_of(" <>,;:\"\\()[]") == input.npos);
}
