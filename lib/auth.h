// Who asks, by bearer token (contract tasks-api, section 3; RFC 6750). Tokens are signed with the
// shared secret (HS256) or by a key of the `jwks` table, chosen by the token's "kid".
// Must not know: cookies, sessions, tasks.
#pragma once

#include <string>

#include "lib/db.h"
#include "lib/http.h"

namespace auth {

struct User {
  std::string id;  // the token's subject, byte for byte
};

// The user whose valid token the request carries. Throws 401 otherwise.
// Costs no database call for a token of the shared secret; for one of a table key, one call when
// the table was read more than kKeyLifetime ago, or the key is not known: then one in kRetryAfter,
// after a few at once, whatever tokens arrive.
User require_user(const http::Request& request, db::Connection& database);

// What require_user() throws.
http::Error unauthorized(bool token_was_sent);

inline constexpr std::chrono::seconds kKeyLifetime{60};
inline constexpr std::chrono::seconds kRetryAfter{1};

}  // namespace auth
