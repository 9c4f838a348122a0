// db::normalized_url: addresses as people have them, and what is said about them.
#include <gtest/gtest.h>

#include "lib/db.h"

namespace {

std::vector<std::string> warnings_of(const std::string& url) {
  std::vector<std::string> warnings;
  db::normalized_url(url, warnings);
  return warnings;
}

}  // namespace

TEST(DatabaseUrl, driversAndForeignParametersAreLeftOut) {
  std::vector<std::string> warnings;
  EXPECT_EQ(db::normalized_url("postgres+asyncpg://u:p@h/d?schema=x&sslmode=require", warnings),
            "postgresql://u:p@h/d?sslmode=require");
  EXPECT_EQ(warnings,
            std::vector<std::string>{"DATABASE_URL: the parameter \"schema\" is not one of "
                                     "PostgreSQL's and is left out"});
}

TEST(DatabaseUrl, aServiceFileIsRefusedBecauseTheSandboxWouldNotLetItBeRead) {
  EXPECT_THROW(warnings_of("postgresql:///d?service=mine"), std::invalid_argument);
  EXPECT_THROW(warnings_of("postgresql:///d?sslmode=disable&service=mine"), std::invalid_argument);
}

TEST(DatabaseUrl, noPartOfAPasswordIsSaid) {
  for (const char* url : {"postgresql://u:pass?word@h/d", "postgresql://u:pass?word=1@h/d",
                          "postgresql://u:pass?x&word=&y@h/d"}) {
    for (const std::string& warning : warnings_of(url)) {
      EXPECT_EQ(warning.find("word"), std::string::npos) << warning;
      EXPECT_EQ(warning.find('"'), std::string::npos) << warning;
    }
    EXPECT_FALSE(warnings_of(url).empty());
  }
  for (const std::string& warning : warnings_of("postgresql://h/d?line\nbreak=\xff"))
    EXPECT_EQ(warning.find_first_of("\n\xff"), std::string::npos);
}
