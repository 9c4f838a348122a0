// Versions and repeats, as headers say them (contract tasks-api, section 9): entity tags,
// If-Match and If-None-Match (RFC 9110, sections 8.8.3 and 13), and Idempotency-Key. Tags are
// compared weakly everywhere, If-Match included: that is the contract's decision, because a web
// server that compresses an answer on its way makes a strong tag weak.
// Must not know: what a tag is made of, SQL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http.h"

namespace precondition {

inline constexpr std::size_t kMaxKey = 64;  // characters of an Idempotency-Key

// The content of If-Match or If-None-Match.
struct Tags {
  bool any = false;                      // "*"
  std::vector<std::string_view> opaque;  // without W/ and quotes: parts of the text that was parsed
  bool match(std::string_view version) const;
};

// nullopt: neither "*" nor a list of entity tags. An empty list is one.
std::optional<Tags> parse(std::string_view field);

// The header, if there is one. An If-Match that cannot be read names no version at all, so that
// nothing is overwritten by a client that meant to ask; such an If-None-Match counts as not sent,
// which costs an answer that could have been saved.
std::optional<Tags> if_match(const http::Request& request);
std::optional<Tags> if_none_match(const http::Request& request);

// 412.
http::Error failed();

// `response`, a 2xx, with the tag of `version`. On GET and HEAD the headers above are looked at:
// 304 instead, without body, or throws failed(). Writes look at them in their statement.
http::Response tagged(const http::Request& request, http::Response response,
                      std::string_view version);

// The Idempotency-Key, if there is one. Throws 422 unless it is 1 ... kMaxKey visible ASCII
// characters.
std::optional<std::string_view> idempotency_key(const http::Request& request);

}  // namespace precondition
