// RFC 4648 by hand: OpenSSL's decoder skips white space and ignores the unused bits, and both
// would give one signature several spellings. Must not know what the bytes mean.
#include "lib/encoding.h"

#include <array>
#include <cstdint>

namespace encoding {
namespace {

constexpr char kStandard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kUrlSafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char kHexDigits[] = "0123456789abcdef";
constexpr std::uint8_t kNone = 0xff;

// Character to digit, kNone for what is not in `alphabet`.
template <std::size_t Size>
constexpr std::array<std::uint8_t, 256> inverse(const char (&alphabet)[Size]) {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNone);
  for (std::size_t i = 0; i + 1 < Size; ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  return table;
}

constexpr auto kFromUrlSafe = inverse(kUrlSafe);
constexpr auto kFromHexDigit = inverse(kHexDigits);

std::uint32_t byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

// Three bytes become four digits; one or two left over become two or three.
std::string encode(std::string_view bytes, const char* alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t group = byte_at(bytes, i) << 16;
    if (count > 1) group |= byte_at(bytes, i + 1) << 8;
    if (count > 2) group |= byte_at(bytes, i + 2);
    for (std::size_t digit = 0; digit <= count; ++digit)
      text += alphabet[group >> (18 - 6 * digit) & 63];
  }
  return text;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text = encode(bytes, kStandard);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string base64url(std::string_view bytes) { return encode(bytes, kUrlSafe); }

std::optional<std::string> from_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;  // six bits are no byte
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::uint8_t digit = kFromUrlSafe[static_cast<unsigned char>(c)];
    if (digit == kNone) return std::nullopt;
    pending = (pending << 6 | digit) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(pending >> bits & 0xff);
  }
  // Otherwise the last character could be changed without changing the bytes.
  if ((pending & ((1U << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

std::string hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::uint8_t high = kFromHexDigit[static_cast<unsigned char>(text[i])];
    const std::uint8_t low = kFromHexDigit[static_cast<unsigned char>(text[i + 1])];
    if (high == kNone || low == kNone) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

}  // namespace encoding
