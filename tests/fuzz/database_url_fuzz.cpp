// db::normalized_url: what it gives, libpq takes; nothing of a password gets into a message.
#include <stdexcept>

#include "lib/db.h"
#include "lib/utf8.h"
#include "tests/fuzz/fuzz.h"

void fuzz(std::string_view input) {
  input = input.substr(0, input.find('\0'));  // as the environment has it
  std::vector<std::string> warnings;
  std::string url;
  try {
    url = db::normalized_url(input, warnings);
  } catch (const std::invalid_argument& mistake) {
    const std::string_view message = mistake.what();
    REQUIRE(
        message ==
            "DATABASE_URL must be a URL such as postgresql://user:password@host:5432/database" ||
        message ==
            "DATABASE_URL must name host, port and database itself: a service file is not read");
    return;
  }
  REQUIRE(url.starts_with("postgresql://"));
  REQUIRE(url.find('\0') == std::string::npos);
  for (const std::string& warning : warnings)
    REQUIRE(fuzzing::is_one_line(warning) && utf8::is_valid(warning) &&
            warning.find('@') == std::string::npos);
  std::vector<std::string> more;
  REQUIRE(db::normalized_url(url, more) == url);
  REQUIRE(more.empty());
}
