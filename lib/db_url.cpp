// DATABASE_URL as people write it. See db.h.
#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <set>

#include "lib/db.h"

namespace db {
namespace {

constexpr const char* kWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

// Names of parameters that libpq knows.
std::set<std::string, std::less<>> libpq_parameters() {
  std::set<std::string, std::less<>> names{"ssl"};  // read as sslmode=require (JDBC's spelling)
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconndefaults(),
                                                                               PQconninfoFree);
  for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option)
    names.insert(option->keyword);
  return names;
}

}  // namespace

std::string normalized_url(std::string_view url, std::vector<std::string>& warnings) {
  constexpr const char* kForm =
      "DATABASE_URL must be a URL such as postgresql://user:password@host:5432/database";
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) throw std::invalid_argument(kForm);
  const std::string_view scheme = url.substr(0, std::min(url.find('+'), scheme_end));
  if (scheme != "postgres" && scheme != "postgresql") throw std::invalid_argument(kForm);

  const std::size_t question = std::min(url.find('?', scheme_end), url.size());
  std::string clean = "postgresql" + std::string(url.substr(scheme_end, question - scheme_end));
  char separator = '?';
  const auto known = libpq_parameters();
  for (std::size_t begin = question + 1; begin < url.size();) {
    const std::size_t end = std::min(url.find('&', begin), url.size());
    const std::string_view pair = url.substr(begin, end - begin);
    const std::string_view name = pair.substr(0, pair.find('='));
    if (name == "service")
      throw std::invalid_argument(
          "DATABASE_URL must name host, port and database itself: a service file is not read");
    if (known.contains(name)) {
      clean += separator;
      clean += pair;
      separator = '&';
    } else if (!name.empty()) {
      // An '@' so late: the '?' may stand unescaped in the password, and this be more of it.
      const bool is_word = name.find_first_not_of(kWord) == std::string_view::npos &&
                           url.find('@', question) == std::string_view::npos;
      warnings.push_back("DATABASE_URL: " +
                         (is_word ? "the parameter \"" + std::string(name) + "\"" : "a parameter") +
                         " is not one of PostgreSQL's and is left out");
    }
    begin = end + 1;
  }

  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(
      PQconninfoParse(clean.c_str(), &message), PQconninfoFree);
  const std::unique_ptr<char, void (*)(void*)> discarded(message, PQfreemem);  // it quotes the URL
  if (!parsed) throw std::invalid_argument(kForm);
  return clean;
}

}  // namespace db
