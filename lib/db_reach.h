// What connecting to a database takes. The only module over libpq is db, of which this is a part.
// Must not know: who limits a program to it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace db {

struct Reach {
  bool tcp = false;                      // else only sockets of this machine
  std::vector<std::uint16_t> tcp_ports;  // of all hosts that are named
  bool abstract_sockets = false;
  std::vector<std::string> files;  // that the URL or PGSSL* name: certificates, keys, passwords
};

// `url` is a result of normalized_url().
Reach reach_of(const std::string& url);

}  // namespace db
