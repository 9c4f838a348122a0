// Rate limits of the auth routes (contract better-auth-wire, section 1.9), counted in the shared
// table `rateLimit`, so that all processes and hosts count together. Must not know: what a route
// does.
#pragma once

#include <chrono>
#include <string_view>

#include "lib/db.h"
#include "lib/http.h"

namespace limit {

struct Rule {
  std::chrono::milliseconds window;
  int most;  // requests in a window
};

// The rule for a path below the base path, such as "/sign-in/email".
Rule rule_for(std::string_view path);

// 429 with X-Retry-After in whole seconds.
http::Error too_many(std::chrono::milliseconds wait);

// Counts the request against its client and path. Throws 429 with X-Retry-After when there were
// too many. One statement decides, so parallel requests cannot slip through together. Does nothing
// where AUTH_RATE_LIMIT is off or the client is in AUTH_RATE_LIMIT_EXEMPT.
void count(const http::Request& request, db::Connection& database);

}  // namespace limit
