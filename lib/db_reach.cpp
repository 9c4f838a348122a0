#include "lib/db_reach.h"

#include <libpq-fe.h>

#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>

namespace db {
namespace {

constexpr std::uint16_t kDefaultPort = 5432;

std::map<std::string, std::string, std::less<>> options_of(const std::string& url) {
  std::map<std::string, std::string, std::less<>> values;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(
      PQconninfoParse(url.c_str(), nullptr), PQconninfoFree);
  for (const PQconninfoOption* option = parsed.get(); option && option->keyword; ++option)
    if (option->val != nullptr && *option->val != '\0') values[option->keyword] = option->val;
  return values;
}

std::vector<std::string> items_of(std::string_view list) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    items.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

}  // namespace

Reach reach_of(const std::string& url) {
  const auto options = options_of(url);
  const auto value = [&](std::string_view name) {
    const auto found = options.find(name);
    return found == options.end() ? std::string() : found->second;
  };
  Reach reach;
  // hostaddr, where it is given, is what is connected to; without either, it is a socket here.
  for (const std::string& host : items_of(value("host"))) {
    reach.abstract_sockets = reach.abstract_sockets || host.starts_with('@');
    reach.tcp = reach.tcp || (!host.empty() && host[0] != '/' && host[0] != '@');
  }
  reach.tcp = reach.tcp || options.contains("hostaddr");
  if (reach.tcp) {
    for (const std::string& text : items_of(value("port"))) {
      std::uint16_t port = kDefaultPort;
      std::from_chars(text.data(), text.data() + text.size(), port);
      reach.tcp_ports.push_back(port);
    }
  }
  constexpr const char* kFiles[][2] = {
      {"sslcert", "PGSSLCERT"}, {"sslkey", "PGSSLKEY"}, {"sslrootcert", "PGSSLROOTCERT"},
      {"sslcrl", "PGSSLCRL"},   {"passfile", nullptr},  {"sslcrldir", "PGSSLCRLDIR"},
  };
  for (const auto& [option, variable] : kFiles) {
    std::string path = value(option);
    const char* ambient = variable != nullptr ? std::getenv(variable) : nullptr;
    if (path.empty() && ambient != nullptr) path = ambient;
    if (!path.empty()) reach.files.push_back(std::move(path));
  }
  return reach;
}

}  // namespace db
