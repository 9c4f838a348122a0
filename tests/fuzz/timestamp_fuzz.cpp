// lib/timestamp: what is read is written as the same instant.
#include "lib/timestamp.h"

#include "tests/fuzz/fuzz.h"

void fuzz(std::string_view input) {
  const auto time = timestamp::from_text(input);
  if (!time) return;
  const std::string exact = timestamp::to_exact_text(*time);
  REQUIRE(exact.size() == 27 && timestamp::from_text(exact) == time);
  const std::string shown = timestamp::to_text(*time);
  REQUIRE(shown.size() == 24 && exact.starts_with(shown.substr(0, 23)));
}
