#include "lib/origin.h"

#include <algorithm>

#include "lib/ip.h"
#include "lib/utf8.h"

namespace origin {
namespace {

struct Parts {
  std::string scheme;     // lower case
  std::string authority;  // host and port, lower case, without user information and default port
};

bool is_web(std::string_view scheme) { return scheme == "http" || scheme == "https"; }

bool is_scheme(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
         });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "host", "host:80", "[::1]" and "[::1]:80" up to the host's end.
std::string_view host_of(std::string_view authority) {
  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  return authority.substr(0, authority.find(':', std::min(bracket, authority.size())));
}

bool is_host(std::string_view text) {
  if (text.starts_with('['))
    return text.ends_with(']') && text.find(':') != std::string_view::npos &&
           ip::canonical(text.substr(1, text.size() - 2)).has_value();
  return !text.empty() && text.find_first_of(" \t\r\n<>\"'\\^`{|}%[]") == std::string_view::npos;
}

bool is_host_and_port(std::string_view text) {
  const std::string_view host = host_of(text);
  const std::string_view port = text.substr(std::min(host.size() + 1, text.size()));
  return is_host(host) && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
}

// ASCII and Latin-1 control characters, the latter in their UTF-8 form.
bool has_control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0)
      return true;
  }
  return false;
}

// "scheme://user@HOST:80/path" in parts. nullopt if it has no scheme and host.
std::optional<Parts> parts_of(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos || !is_scheme(url.substr(0, colon))) return std::nullopt;
  // A control character would be dropped by some URL parsers and kept by others.
  if (has_control_character(url)) return std::nullopt;
  Parts parts{utf8::ascii_lower(url.substr(0, colon)), ""};
  std::string_view rest = url.substr(colon + 3);
  // WHATWG URL: on the web, '\' ends a host as '/' does.
  rest = rest.substr(0, rest.find_first_of(is_web(parts.scheme) ? "/?#\\" : "/?#"));
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos)
    rest.remove_prefix(at + 1);
  if (!is_host_and_port(rest)) return std::nullopt;
  parts.authority = utf8::ascii_lower(rest);
  const std::string_view default_port = parts.scheme == "http"    ? ":80"
                                        : parts.scheme == "https" ? ":443"
                                                                  : "";
  if (!default_port.empty() && parts.authority.ends_with(default_port))
    parts.authority.resize(parts.authority.size() - default_port.size());
  if (parts.authority.ends_with(':')) parts.authority.pop_back();
  return parts;
}

// '*' is any run of characters, '?' is one.
bool fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// "10.0.*", "192.168.1.?": meant for addresses, not for names.
bool is_numeric(std::string_view host_pattern) {
  return host_pattern.find_first_not_of("0123456789.*?") == std::string_view::npos &&
         std::any_of(host_pattern.begin(), host_pattern.end(), is_digit);
}

bool fits_wildcards(const Parts& parts, std::string_view entry) {
  if (!is_web(parts.scheme)) return false;
  const std::string pattern = utf8::ascii_lower(entry);
  const std::size_t colon = pattern.find("://");
  const bool has_scheme = colon != std::string::npos;
  const auto authority = std::string_view(pattern).substr(has_scheme ? colon + 3 : 0);
  // Or else it would fit a name that anybody can register: 10.0.0.1.evil.example.
  if (is_numeric(host_of(authority)) && !ip::canonical(host_of(parts.authority))) return false;
  return fits(pattern, has_scheme ? parts.scheme + "://" + parts.authority : parts.authority);
}

bool matches(std::string_view candidate, const std::optional<Parts>& parts,
             const std::string& entry) {
  const std::size_t colon = entry.find("://");
  const bool has_scheme = colon != std::string::npos;
  if (entry.find_first_of("*?") != std::string::npos) return parts && fits_wildcards(*parts, entry);
  // "myapp://" is whoever holds that scheme; "https://" would be the whole web, so it is nobody.
  if (has_scheme && colon + 3 == entry.size() &&
      !is_web(utf8::ascii_lower(std::string_view(entry).substr(0, colon))))
    return utf8::ascii_lower(candidate.substr(0, entry.size())) == utf8::ascii_lower(entry) &&
           (parts || candidate.substr(entry.size()).find_first_not_of('/') == candidate.npos);
  const auto wanted = parts_of(entry);
  return wanted && parts && wanted->scheme == parts->scheme &&
         wanted->authority == parts->authority;
}

bool is_safe_path(std::string_view url) {
  if (!url.starts_with('/') || url.starts_with("//")) return false;
  if (url.find('\\') != std::string_view::npos || has_control_character(url)) return false;
  const std::string path = utf8::ascii_lower(url.substr(0, url.find_first_of("?#")));
  if (path.find("%2f") != std::string::npos || path.find("%5c") != std::string::npos) return false;
  // Dot segments can leave "//" at the beginning once they are resolved (RFC 3986, 5.2.4).
  std::string_view rest = path;
  while (rest.starts_with("/./") || rest.starts_with("/../")) rest.remove_prefix(rest.find('/', 1));
  return !rest.starts_with("//");
}

}  // namespace

std::optional<std::string> of_url(std::string_view url) {
  const auto parts = parts_of(url);
  if (!parts) return std::nullopt;
  return parts->scheme + "://" + parts->authority;
}

bool is_trusted(std::string_view candidate, std::span<const std::string> trusted) {
  const auto parts = parts_of(candidate);
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const std::string& entry) { return matches(candidate, parts, entry); });
}

bool is_safe_redirect(std::string_view url, std::span<const std::string> trusted) {
  if (is_safe_path(url)) return true;
  return url.find("://") != std::string_view::npos && !has_control_character(url) &&
         url.find('\\') == std::string_view::npos && is_trusted(url, trusted);
}

}  // namespace origin
