// The request target and its parts: RFC 3986 as section 1.1 of the task contract narrows it.
// Decoding happens once, after splitting, so that an encoded '/' or '?' stays a character of its
// segment. Pure; must not know any route.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace uri {

enum class Plus { is_plus, is_space };

// nullopt: a '%' without two hexadecimal digits, a decoded NUL, or a result that is not UTF-8.
std::optional<std::string> percent_decode(std::string_view text, Plus plus = Plus::is_plus);

// As ECMAScript's encodeURIComponent: unreserved are A-Z a-z 0-9 - _ . ! ~ * ' ( ).
std::string percent_encode(std::string_view text);

// As URLSearchParams writes values: unreserved are A-Z a-z 0-9 * - . _, and a blank becomes '+'.
std::string form_encode(std::string_view text);

// `url` (a path or an absolute URL) with name=value, form-encoded, at the end of its query and
// before any fragment. An absolute URL without a path gets "/".
std::string with_parameter(std::string_view url, std::string_view name, std::string_view value);

// "/a/b%2Fc/?x=1" -> path "/a/b%2Fc/", query "x=1", segments {"a", "b/c"}, trailing_slash.
struct Target {
  std::string path;                   // raw, as received
  std::string query;                  // raw, without the '?'
  std::vector<std::string> segments;  // decoded; an empty segment ("//") stays as ""
  bool trailing_slash = false;        // one '/' after the last segment
  bool well_formed = true;            // false: a bad escape, a NUL or bytes that are not UTF-8 in
                                      // the path; segments is then empty

  // Takes a REQUEST_URI: origin form ("/path?query"); an absolute form ("http://host/path") is
  // reduced to its path and query.
  static Target parse(std::string_view request_uri);
};

// application/x-www-form-urlencoded pairs (WHATWG URL, section 5.1) in their order, or nullopt if
// any name or value cannot be decoded. "a&b=" gives {"a",""},{"b",""}; "" gives none.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text);

}  // namespace uri
