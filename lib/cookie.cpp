// Reading a Cookie header as Better Auth does, and writing Set-Cookie in its exact forms.
// Must not know: sessions, which secret is current.
#include "lib/cookie.h"

#include <stdexcept>

#include "lib/crypto.h"
#include "lib/encoding.h"
#include "lib/uri.h"

namespace cookie {
namespace {

constexpr std::size_t kSignatureCharacters = 44;  // 32 bytes in padded base64

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

struct Pair {
  std::string_view name;
  std::string_view value;  // still quoted and encoded
};

// Takes the next pair off `rest`, which shrinks. A piece without '=' is no cookie and passed over.
std::optional<Pair> next_pair(std::string_view& rest) {
  while (!rest.empty()) {
    const auto end = rest.find(';');
    const std::string_view piece = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    const auto equals = piece.find('=');
    if (equals == std::string_view::npos) continue;
    return Pair{trimmed(piece.substr(0, equals)), trimmed(piece.substr(equals + 1))};
  }
  return std::nullopt;
}

std::string decoded(std::string_view value) {
  // The reference takes the last character for the closing quote, whatever it is.
  if (value.starts_with('"')) value = value.substr(1, value.size() < 2 ? 0 : value.size() - 2);
  if (value.find('%') != std::string_view::npos)
    if (auto plain = uri::percent_decode(value)) return std::move(*plain);
  return std::string(value);  // a bad escape stands for itself
}

// What would let text end its attribute or its header line.
bool breaks_header(std::string_view text) {
  for (const char c : text)
    if (c == ';' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

std::string signature(std::string_view value, std::string_view secret) {
  return encoding::base64(crypto::hmac_sha256(secret, value));
}

}  // namespace

std::optional<std::string> find(std::string_view header, std::string_view name) {
  while (const auto pair = next_pair(header))
    if (pair->name == name) return decoded(pair->value);
  return std::nullopt;
}

std::vector<std::string> names(std::string_view header) {
  std::vector<std::string> result;
  while (const auto pair = next_pair(header)) result.emplace_back(pair->name);
  return result;
}

std::optional<std::string> open(std::string_view header, std::string_view name,
                                std::string_view secret) {
  auto text = find(header, name);
  if (!text) return std::nullopt;
  const auto dot = text->rfind('.');
  if (dot == std::string::npos || dot == 0) return std::nullopt;
  const std::string_view signed_by = std::string_view(*text).substr(dot + 1);
  // Checked before the value is hashed. Comparing texts refuses other spellings of the signature.
  if (signed_by.size() != kSignatureCharacters) return std::nullopt;
  if (!crypto::equal(signature(std::string_view(*text).substr(0, dot), secret), signed_by))
    return std::nullopt;
  text->resize(dot);
  return text;
}

std::string seal(std::string_view value, std::string_view secret) {
  return uri::percent_encode(std::string(value) + '.' + signature(value, secret));
}

std::string set(std::string_view name, std::string_view sealed, const Attributes& attributes) {
  if (name.empty() || name.find('=') != std::string_view::npos || breaks_header(name) ||
      breaks_header(sealed))
    throw std::logic_error("cookie::set: name or value would end the header");
  std::string line(name);
  line += '=';
  line += sealed;
  if (attributes.max_age) line += "; Max-Age=" + std::to_string(attributes.max_age->count());
  line += "; Path=/; HttpOnly";
  if (attributes.secure) line += "; Secure";
  return line += "; SameSite=Lax";
}

}  // namespace cookie
