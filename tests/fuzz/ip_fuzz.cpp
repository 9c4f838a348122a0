// lib/ip: one address has one spelling, and a client is never somebody else's.
// Input: X-Forwarded-For, and on further lines trusted proxies.
#include "lib/ip.h"

#include <array>

#include "tests/fuzz/fuzz.h"

namespace {

void check(const std::string& address) {
  REQUIRE(ip::canonical(address) == address);
  REQUIRE(address.size() <= 39);
  REQUIRE(ip::is_among(address, std::array{address}));
  const bool is_v4 = address.find(':') == std::string::npos;
  REQUIRE(ip::is_among(address, std::array{std::string(is_v4 ? "0.0.0.0/0" : "::/0")}));
  REQUIRE(!ip::is_among(address, std::array{std::string(is_v4 ? "::/0" : "0.0.0.0/0")}));
}

}  // namespace

void fuzz(std::string_view input) {
  const std::string_view header = fuzzing::take_line(input);
  if (const auto address = ip::canonical(header)) {
    check(*address);
    REQUIRE(ip::client(header, {}) == *address);
  }
  const std::string alone = ip::client(header, {});
  if (!alone.empty()) {
    check(alone);
    REQUIRE(header.find(',') == std::string_view::npos);
  }
  const std::vector<std::string> proxies = fuzzing::lines(input);
  const std::string client = ip::client(header, proxies);
  if (client.empty()) return;
  REQUIRE(ip::canonical(client) == client);
  // Whatever a client writes on the left of what a proxy added changes nothing.
  if (!proxies.empty())
    REQUIRE(ip::client("198.51.100.1, " + std::string(header), proxies) == client);
}
