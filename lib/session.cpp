#include "lib/session.h"

#include <algorithm>

#include "lib/cookie.h"
#include "lib/crypto.h"
#include "lib/ip.h"
#include "lib/utf8.h"

namespace session {
namespace {

constexpr std::size_t kTokenLength = 32;
constexpr std::chrono::seconds kNotRememberedLifetime{86400};

constexpr char kInsert[] =
    "INSERT INTO session (id, token, \"userId\", \"ipAddress\", \"userAgent\", \"expiresAt\","
    "                     \"createdAt\", \"updatedAt\")"
    " VALUES ($1, $2, $3, $4, $5, " NOW_MS " + $6::bigint * interval '1 second', " NOW_MS
    ", " NOW_MS ")";

constexpr char kFind[] =
    "SELECT " SESSION_COLUMNS ", " USER_COLUMNS
    ", s.\"expiresAt\" >= now(),"
    "  s.\"expiresAt\" + ($3::bigint - $2::bigint) * interval '1 second' <= now(),"
    "  s.\"createdAt\" + $4::bigint * interval '1 second' > now()"
    "  FROM session s JOIN \"user\" u ON u.id = s.\"userId\" WHERE s.token = $1";

constexpr char kProlong[] =
    "UPDATE session s SET \"expiresAt\" = " NOW_MS
    " + $2::bigint * interval '1 second', \"updatedAt\" = " NOW_MS
    " WHERE s.token = $1 AND s.\"expiresAt\" >= now() RETURNING " SESSION_COLUMNS;

constexpr char kDeleteExpired[] = "DELETE FROM session WHERE token = $1 AND \"expiresAt\" < now()";

std::string cookie_name(const env::Settings& settings, std::string_view name) {
  return (settings.secure_cookies ? "__Secure-" : "") + settings.cookie_prefix + "." +
         std::string(name);
}

std::optional<std::string> open(const http::Request& request, std::string_view name) {
  return cookie::open(request.header("cookie"), cookie_name(request.settings(), name),
                      request.settings().secret.view());
}

std::pair<std::string, std::string> set_cookie(const http::Request& request, std::string_view name,
                                               std::string_view value,
                                               std::optional<std::chrono::seconds> max_age) {
  const env::Settings& settings = request.settings();
  const std::string sealed =
      value.empty() ? std::string() : cookie::seal(value, settings.secret.view());
  return {"Set-Cookie",
          cookie::set(cookie_name(settings, name), sealed, {max_age, settings.secure_cookies})};
}

std::pair<std::string, std::string> cleared(const http::Request& request, std::string_view name) {
  return set_cookie(request, name, "", std::chrono::seconds(0));
}

std::string seconds(std::chrono::seconds duration) { return std::to_string(duration.count()); }

}  // namespace

Session from_row(const db::Result& result, int row, int first) {
  return {result.time(row, first),
          std::string(result.text(row, first + 1)),
          result.time(row, first + 2),
          result.time(row, first + 3),
          result.maybe_text(row, first + 4),
          result.maybe_text(row, first + 5),
          std::string(result.text(row, first + 6)),
          std::string(result.text(row, first + 7))};
}

void append_json(json::Writer& out, const Session& session) {
  out.begin_object()
      .member("expiresAt", timestamp::to_text(session.expires_at))
      .member("token", session.token)
      .member("createdAt", timestamp::to_text(session.created_at))
      .member("updatedAt", timestamp::to_text(session.updated_at))
      .member("ipAddress", session.ip_address)
      .member("userAgent", session.user_agent)
      .member("userId", session.user_id)
      .member("id", session.id)
      .end_object();
}

New prepare(const http::Request& request, bool remembered) {
  const env::Settings& settings = request.settings();
  return {crypto::random_text(kTokenLength), crypto::random_text(kTokenLength),
          ip::client(request.forwarded_for(), settings.trusted_proxies),
          utf8::repaired(request.header("user-agent")),
          seconds(remembered ? settings.session_lifetime : kNotRememberedLifetime)};
}

void insert(const New& session, std::string_view user_id, db::Connection& database) {
  database.run(kInsert, {session.id, session.token, user_id, session.ip_address, session.user_agent,
                         session.lifetime});
}

Found find(const http::Request& request, db::Connection& database, Refresh refresh) {
  const auto token = token_of(request);
  if (!token) return {};
  const env::Settings& settings = request.settings();
  const std::string lifetime = seconds(settings.session_lifetime);
  const db::Result row =
      database.run(kFind, {*token, lifetime, seconds(settings.session_update_age),
                           seconds(settings.session_fresh_age)});
  Found found{std::nullopt, true};
  if (row.rows() == 0) return found;
  constexpr int kFlags = kColumns + user::kColumns;
  if (!row.boolean(0, kFlags)) {
    database.run(kDeleteExpired, {*token});
    return found;
  }
  Current current{from_row(row, 0),
                  user::from_row(row, 0, kColumns),
                  settings.session_fresh_age.count() == 0 || row.boolean(0, kFlags + 2),
                  {}};
  const bool is_due = row.boolean(0, kFlags + 1);
  // The table does not say which sessions are not to be remembered; only the cookie does.
  if (is_due && refresh == Refresh::when_due && !is_not_remembered(request)) {
    const db::Result prolonged = database.run(kProlong, {*token, lifetime});
    if (prolonged.rows() == 0) return found;  // revoked meanwhile
    current.session = from_row(prolonged, 0);
    current.cookies = cookies(request, *token, true);
  }
  request.set_user(current.user.id);
  found.current = std::move(current);
  return found;
}

Current require(const http::Request& request, db::Connection& database) {
  Found found = find(request, database);
  if (!found.current) throw http::Error::auth(401, "UNAUTHORIZED", "Unauthorized");
  return std::move(*found.current);
}

Current require_fresh(const http::Request& request, db::Connection& database) {
  Current current = require(request, database);
  if (!current.fresh) throw http::Error::auth(403, "SESSION_NOT_FRESH", "Session is not fresh");
  return current;
}

std::optional<std::string> token_of(const http::Request& request) {
  auto token = open(request, "session_token");
  // What the database could not hold cannot be the name of a session.
  if (token && (!utf8::is_valid(*token) || token->find('\0') != std::string::npos))
    return std::nullopt;
  return token;
}

bool is_not_remembered(const http::Request& request) {
  return open(request, "dont_remember") == "true";
}

http::Headers cookies(const http::Request& request, std::string_view token, bool remembered) {
  if (remembered)
    return {set_cookie(request, "session_token", token, request.settings().session_lifetime)};
  return {set_cookie(request, "session_token", token, std::nullopt),
          set_cookie(request, "dont_remember", "true", std::nullopt)};
}

http::Headers clearing_cookies(const http::Request& request) {
  http::Headers all{cleared(request, "session_token"), cleared(request, "session_data"),
                    cleared(request, "dont_remember")};
  // A cached session may be there whole or in chunks, which another server has set.
  const std::string cached = cookie_name(request.settings(), "session_data");
  for (const std::string& name : cookie::names(request.header("cookie")))
    if (name == cached ||
        (name.starts_with(cached + ".") &&
         name.find_first_not_of("0123456789", cached.size() + 1) == std::string::npos))
      all.emplace_back(
          "Set-Cookie",
          cookie::set(name, "", {std::chrono::seconds(0), request.settings().secure_cookies}));
  return all;
}

http::Headers forget_not_remembered(const http::Request& request) {
  return {cleared(request, "dont_remember")};
}

void add(http::Response& response, const http::Headers& cookies) {
  response.headers.insert(response.headers.end(), cookies.begin(), cookies.end());
}

}  // namespace session
