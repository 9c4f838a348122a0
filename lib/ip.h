// The client's address behind proxies (contract better-auth-wire, section 1.10). Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ip {

// The canonical form of an address: IPv4 as it is, IPv4-mapped IPv6 as IPv4, IPv6 written out in
// full in lower case with only its first 64 bits kept. nullopt: not an address (a port included).
std::optional<std::string> canonical(std::string_view text);

// The client that `x_forwarded_for` names, in canonical form, or "" if that cannot be told.
// Without `trusted_proxies` the header must hold exactly one address; with them it is read from
// the right, and the first address that is no trusted proxy counts. Entries of `trusted_proxies`
// are addresses or CIDR blocks.
std::string client(std::string_view x_forwarded_for, std::span<const std::string> trusted_proxies);

// Is `address` (as client() returns it) one of `entries`, which are addresses or CIDR blocks? False
// for "".
bool is_among(std::string_view address, std::span<const std::string> entries);

}  // namespace ip
