// Sessions: rows of the shared table and the cookies that name them (contract better-auth-wire,
// sections 1.7, 1.10 and 3). No cache: a revoked session is refused by the very next request.
// Must not know: passwords, which route asks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/db.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/user.h"

// What from_row() reads, in this order; `s` is the table's alias.
#define SESSION_COLUMNS                                                                            \
  "s.\"expiresAt\", s.token, s.\"createdAt\", s.\"updatedAt\", s.\"ipAddress\", s.\"userAgent\", " \
  "s.\"userId\", s.id"

namespace session {

struct Session {
  timestamp::Time expires_at;
  std::string token;
  timestamp::Time created_at;
  timestamp::Time updated_at;
  std::optional<std::string> ip_address;
  std::optional<std::string> user_agent;
  std::string user_id;
  std::string id;
};

inline constexpr int kColumns = 8;

Session from_row(const db::Result& result, int row, int first = 0);
void append_json(json::Writer& out, const Session& session);

// The values of a session that is about to be made for the client of `request`.
struct New {
  std::string id;
  std::string token;
  std::string ip_address;
  std::string user_agent;
  std::string lifetime;  // seconds
};
New prepare(const http::Request& request, bool remembered);

// Makes a session for a user. Throws db::Error.
void insert(const New& session, std::string_view user_id, db::Connection& database);

// The session of the request, with its user.
struct Current {
  Session session;
  user::User user;
  bool fresh = false;     // made less than AUTH_SESSION_FRESH_AGE ago
  http::Headers cookies;  // to be sent with the answer: the session was prolonged
};

struct Found {
  std::optional<Current> current;
  bool had_cookie = false;  // a validly signed cookie was there, with or without a session
};

enum class Refresh { when_due, never };

// Prolongs the session if it is time (section 3.2); deletes the row of an expired one.
Found find(const http::Request& request, db::Connection& database,
           Refresh refresh = Refresh::when_due);

// Throws 401 UNAUTHORIZED if there is none.
Current require(const http::Request& request, db::Connection& database);

// Ditto, and 403 SESSION_NOT_FRESH if it is too old for the route (section 3.3).
Current require_fresh(const http::Request& request, db::Connection& database);

// The token of a validly signed session cookie.
std::optional<std::string> token_of(const http::Request& request);

// Does the request carry a valid "not remembered" cookie?
bool is_not_remembered(const http::Request& request);

// Set-Cookie headers: for a session, and for none.
http::Headers cookies(const http::Request& request, std::string_view token, bool remembered);
http::Headers clearing_cookies(const http::Request& request);
// Only the "not remembered" cookie, cleared.
http::Headers forget_not_remembered(const http::Request& request);

void add(http::Response& response, const http::Headers& cookies);

}  // namespace session
