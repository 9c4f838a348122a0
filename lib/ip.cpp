#include "lib/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace ip {
namespace {

// An address as 16 bytes; IPv4 in its mapped form (RFC 4291, section 2.5.5.2).
using Bytes = std::array<unsigned char, 16>;
constexpr Bytes kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};
constexpr int kMappedBits = 96;

bool is_v4(const Bytes& address) {
  return std::equal(kMapped.begin(), kMapped.begin() + kMappedBits / 8, address.begin());
}

// inet_pton() takes neither leading zeros nor ports.
std::optional<Bytes> parsed(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  Bytes bytes = kMapped;
  if (inet_pton(AF_INET, copy.c_str(), bytes.data() + kMappedBits / 8) == 1) return bytes;
  if (inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

std::string written(const Bytes& address) {
  std::string text;
  if (is_v4(address)) {
    for (std::size_t i = kMappedBits / 8; i < address.size(); ++i)
      text.append(text.empty() ? "" : ".").append(std::to_string(address[i]));
    return text;
  }
  constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < address.size(); ++i) {
    // A household or a host has a whole /64, so only its prefix tells clients apart.
    const unsigned char byte = i < 8 ? address[i] : 0;
    if (i > 0 && i % 2 == 0) text += ':';
    text.append({kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return text;
}

bool is_in_block(const Bytes& address, std::string_view entry) {
  const std::size_t slash = std::min(entry.find('/'), entry.size());
  const auto base = parsed(entry.substr(0, slash));
  // "::/0" is all of IPv6 and nothing of IPv4, although mapped addresses would lie in it.
  if (!base || is_v4(*base) != is_v4(address)) return false;
  int bits = 128;
  if (slash < entry.size()) {
    const std::string_view digits = entry.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    const bool is_dotted = entry.substr(0, slash).find(':') == std::string_view::npos;
    const int most = is_dotted ? 32 : 128;
    if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > most)
      return false;
    if (is_dotted) bits += kMappedBits;
  }
  for (int bit = 0; bit < bits; ++bit) {
    const auto byte = static_cast<std::size_t>(bit / 8);
    const int mask = 0x80 >> (bit % 8);
    if ((address[byte] & mask) != ((*base)[byte] & mask)) return false;
  }
  return true;
}

bool is_among(const Bytes& address, std::span<const std::string> entries) {
  for (const std::string& entry : entries)
    if (is_in_block(address, entry)) return true;
  return false;
}

}  // namespace

std::optional<std::string> canonical(std::string_view text) {
  const auto address = parsed(text);
  if (!address) return std::nullopt;
  return written(*address);
}

std::string client(std::string_view x_forwarded_for, std::span<const std::string> trusted_proxies) {
  std::vector<std::string_view> hops;
  for (std::size_t begin = 0; begin <= x_forwarded_for.size();) {
    const std::size_t end = std::min(x_forwarded_for.find(',', begin), x_forwarded_for.size());
    hops.push_back(x_forwarded_for.substr(begin, end - begin));
    while (hops.back().starts_with(' ') || hops.back().starts_with('\t'))
      hops.back().remove_prefix(1);
    while (hops.back().ends_with(' ') || hops.back().ends_with('\t')) hops.back().remove_suffix(1);
    begin = end + 1;
  }
  if (trusted_proxies.empty() && hops.size() != 1) return "";
  for (; !hops.empty(); hops.pop_back()) {
    const auto address = parsed(hops.back());
    if (!address) return "";
    if (!is_among(*address, trusted_proxies)) return written(*address);
  }
  return "";
}

bool is_among(std::string_view address, std::span<const std::string> entries) {
  const auto bytes = parsed(address);
  if (!bytes) return false;
  for (const std::string& entry : entries) {
    // client() keeps 64 bits of an IPv6 address, so an entry for one address means its prefix.
    const auto exact = canonical(entry);
    if ((exact && *exact == address) || is_in_block(*bytes, entry)) return true;
  }
  return false;
}

}  // namespace ip
