// Cookies as Better Auth signs and writes them (contract better-auth-wire, section 1.7).
// The only module that reads a Cookie header: a value without a valid signature is no cookie.
// Must not know: sessions, which secret is current.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cookie {

// The value of the first cookie called `name`, unquoted and percent-decoded, unsigned: for tests
// of presence only. nullopt if there is none.
std::optional<std::string> find(std::string_view header, std::string_view name);

// The names of all cookies in the header, in order.
std::vector<std::string> names(std::string_view header);

// The value of the first cookie called `name` if its signature is right: HMAC-SHA-256 under
// `secret`, 44 characters of padded standard base64 after the last dot, compared in constant time.
std::optional<std::string> open(std::string_view header, std::string_view name,
                                std::string_view secret);

// `value` with its signature, percent-encoded: what stands after '=' in Set-Cookie.
std::string seal(std::string_view value, std::string_view secret);

struct Attributes {
  std::optional<std::chrono::seconds> max_age;  // absent: until the browser ends
  bool secure = false;
};

// The content of one Set-Cookie header: Path=/, HttpOnly, SameSite=Lax always. `sealed` is used as
// it is and must hold no ';' or control character (std::logic_error).
std::string set(std::string_view name, std::string_view sealed, const Attributes& attributes);

}  // namespace cookie
