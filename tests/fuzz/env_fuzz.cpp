// env::load: settings that can be used, or lines that name variables and quote no value.
// Input: lines NAME=value.
#include "lib/env.h"

#include <map>

#include "lib/email.h"
#include "lib/origin.h"
#include "tests/fuzz/fuzz.h"

namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

env::Settings load(const Variables& variables) {
  return env::load([&](const char* name) -> const char* {
    const auto found = variables.find(std::string_view(name));
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

// libFuzzer learns the words of a message from the search in it, and then sends them as a value.
// They are no quotation if another value gets them too.
bool is_quoted(const std::string& value, const std::string& what, Variables variables,
               const std::string& name) {
  if (what.find(value) == std::string::npos) return false;
  variables[name] = std::string(value.size(), '~');
  try {
    load(variables);
  } catch (const env::Mistake& mistake) {
    return std::string_view(mistake.what()).find(value) == std::string_view::npos;
  }
  return true;
}

}  // namespace

void fuzz(std::string_view input) {
  Variables variables{{"BETTER_AUTH_SECRET", std::string(fuzzing::kSecret)},
                      {"DATABASE_URL", "postgresql://user:password@host/database"}};
  for (const std::string& line : fuzzing::lines(input)) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos && line.find('\0') == std::string::npos)
      variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  try {
    const env::Settings settings = load(variables);
    REQUIRE(settings.secret.view().size() >= env::kMinSecretBytes);
    REQUIRE(!settings.database_url.empty());
    REQUIRE(settings.base_url.empty() || origin::of_url(settings.base_url) == settings.base_url);
    REQUIRE(settings.auth_path.size() > 1 && settings.auth_path.front() == '/');
    REQUIRE(!settings.auth_path.ends_with('/'));
    REQUIRE(settings.cookie_prefix.find_first_of("=; \t,\"") == std::string::npos);
    REQUIRE(settings.session_lifetime.count() > 0 && settings.max_body_bytes >= 1024);
    REQUIRE(settings.min_password_length > 0 && settings.max_password_length > 0);
    if (settings.smtp) {
      REQUIRE(!settings.smtp->host.empty() && settings.smtp->port <= 65535);
      REQUIRE(email::is_valid(settings.smtp->sender));
    }
  } catch (const env::Mistake& mistake) {
    const std::string what = mistake.what();
    REQUIRE(!what.empty());
    for (const std::string& line : fuzzing::lines(what))
      REQUIRE(line.find(' ') != std::string::npos && fuzzing::is_one_line(line));
    for (const auto& [name, value] : variables)
      if (value.size() > 40) REQUIRE(!is_quoted(value, what, variables, name));
  }
}
