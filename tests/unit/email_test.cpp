#include "lib/email.h"

#include <gtest/gtest.h>

#include "tests/unit/vectors.h"

TEST(Email, acceptsWhatTheVectorsAccept) {
  int seen = 0;
  for (const auto& each : vectors("better-auth-vectors.json")["email_validation"]) {
    EXPECT_EQ(email::is_valid(std::string(each["email"])), each["valid"]) << each["email"];
    ++seen;
  }
  EXPECT_EQ(seen, 55);
}

TEST(Email, refusesWhatCouldChangeItsMeaning) {
  using namespace std::string_view_literals;
  for (const auto text :
       {"a@x.co\0evil"sv, "a@x.co\n"sv, "a@x.co\r\nBcc: b@y.co"sv, "a@\xE2\x84\x80.co"sv, "@x.co"sv,
        "a@@x.co"sv, "a@b@x.co"sv, "a@x"sv, "a@.co"sv, "a@x..co"sv, ".a@x.co"sv, "a.@x.co"sv})
    EXPECT_FALSE(email::is_valid(text)) << text;
}
