#include "lib/uri.h"

#include <algorithm>

#include "lib/utf8.h"

namespace uri {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string encoded(std::string_view text, std::string_view unreserved) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_alphanumeric(c) || unreserved.find(c) != std::string_view::npos)
      result += c;
    else
      result.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return result;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus == Plus::is_space) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    result += c;
  }
  if (!utf8::is_valid(result)) return std::nullopt;
  return result;
}

std::string percent_encode(std::string_view text) { return encoded(text, "-_.!~*'()"); }

std::string form_encode(std::string_view text) {
  std::string result = encoded(text, "*-._ ");
  for (char& c : result)
    if (c == ' ') c = '+';
  return result;
}

std::string with_parameter(std::string_view url, std::string_view name, std::string_view value) {
  const std::size_t hash = std::min(url.find('#'), url.size());
  std::string result(url.substr(0, hash));
  // Only at the beginning: "/x?next=http://host" holds another URL and is a path.
  if (const std::size_t colon = result.find("://");
      colon != std::string::npos && result.find_first_of("/?") == colon + 1) {
    const std::size_t host_end = std::min(result.find_first_of("/?", colon + 3), result.size());
    if (host_end == result.size() || result[host_end] == '?') result.insert(host_end, 1, '/');
  }
  // A second '?' is a character of the query (RFC 3986, section 3.4).
  const std::size_t question = result.find('?');
  if (question == std::string::npos)
    result += '?';
  else if (question + 1 < result.size() && !result.ends_with('&'))
    result += '&';
  return result.append(form_encode(name))
      .append("=")
      .append(form_encode(value))
      .append(url.substr(hash));
}

Target Target::parse(std::string_view request_uri) {
  Target target;
  if (!request_uri.starts_with('/')) {
    const std::size_t scheme = request_uri.find("://");
    const std::size_t path = scheme == std::string_view::npos
                                 ? std::string_view::npos
                                 : request_uri.find_first_of("/?", scheme + 3);
    request_uri = path == std::string_view::npos ? "/" : request_uri.substr(path);
  }
  const std::size_t question = std::min(request_uri.find('?'), request_uri.size());
  target.path = question == 0 ? "/" : request_uri.substr(0, question);  // "http://host?query"
  if (question < request_uri.size()) target.query = request_uri.substr(question + 1);

  std::string_view rest = std::string_view(target.path).substr(1);
  if (rest.ends_with('/')) {
    target.trailing_slash = true;
    rest.remove_suffix(1);
  }
  if (rest.empty() && !target.trailing_slash) return target;
  for (std::size_t begin = 0; begin <= rest.size();) {
    const std::size_t end = std::min(rest.find('/', begin), rest.size());
    auto segment = percent_decode(rest.substr(begin, end - begin));
    if (!segment) {
      target.segments.clear();
      target.well_formed = false;
      return target;
    }
    target.segments.push_back(std::move(*segment));
    begin = end + 1;
  }
  return target;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('&', begin), text.size());
    const std::string_view pair = text.substr(begin, end - begin);
    begin = end + 1;
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(pair.substr(0, equals), Plus::is_space);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), Plus::is_space);
    if (!name || !value) return std::nullopt;
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

}  // namespace uri
