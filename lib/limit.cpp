#include "lib/limit.h"

#include <algorithm>

#include "lib/crypto.h"
#include "lib/ip.h"

namespace limit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A key may come from an unknown path; longer ones share what their beginning has.
constexpr std::size_t kMaxPathBytes = 128;
constexpr std::size_t kIdLength = 32;

// $3: the present in ms is taken from the database, the one clock that all hosts share.
// No row comes back when the limit is reached: a refused request does not prolong the window.
constexpr char kCount[] =
    "INSERT INTO \"rateLimit\" AS r (id, key, count, \"lastRequest\")"
    " VALUES ($1, $2, 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
    " ON CONFLICT (key) DO UPDATE"
    "   SET count = CASE WHEN EXCLUDED.\"lastRequest\" - r.\"lastRequest\" > $3::bigint"
    "                    THEN 1 ELSE r.count + 1 END,"
    "       \"lastRequest\" = EXCLUDED.\"lastRequest\""
    " WHERE EXCLUDED.\"lastRequest\" - r.\"lastRequest\" > $3::bigint OR r.count < $4::integer"
    " RETURNING r.count";

constexpr char kWait[] =
    "SELECT \"lastRequest\" + $2::bigint - (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    "  FROM \"rateLimit\" WHERE key = $1";

// The path as the limit counts it: below the base path, decoded once, no slash at the end.
std::string limited_path(const http::Request& request) {
  std::string path = request.target().path.substr(request.settings().auth_path.size());
  while (path.ends_with('/')) path.pop_back();
  return path.substr(0, kMaxPathBytes);
}

}  // namespace

Rule rule_for(std::string_view path) {
  for (const std::string_view strict :
       {"/sign-in", "/sign-up", "/change-password", "/change-email"})
    if (path.starts_with(strict)) return {seconds(10), 3};
  if (path == "/request-password-reset" || path == "/send-verification-email" ||
      path.starts_with("/forget-password"))
    return {seconds(60), 3};
  return {seconds(10), 100};
}

http::Error too_many(milliseconds wait) {
  http::Error error = http::Error::auth(429, "", "Too many requests. Please try again later.");
  const auto whole = std::chrono::ceil<seconds>(std::max(wait, milliseconds(1)));
  error.headers.emplace_back("X-Retry-After", std::to_string(whole.count()));
  return error;
}

void count(const http::Request& request, db::Connection& database) {
  const env::Settings& settings = request.settings();
  if (!settings.rate_limit) return;
  std::string client = ip::client(request.forwarded_for(), settings.trusted_proxies);
  if (ip::is_among(client, settings.rate_limit_exempt)) return;
  if (client.empty()) client = "no-trusted-ip";

  const std::string path = limited_path(request);
  const Rule rule = rule_for(path);
  std::string key = client + "|" + path;
  // Bytes that are not UTF-8 cannot be stored; such paths are no routes and share one counter.
  if (std::any_of(key.begin(), key.end(),
                  [](char c) { return static_cast<unsigned char>(c) >= 0x80 || c < ' '; }))
    key = client + "|*";
  const std::string window = std::to_string(rule.window.count());
  const db::Result counted = database.run(
      kCount, {crypto::random_text(kIdLength), key, window, std::to_string(rule.most)});
  if (counted.rows() != 0) return;
  const db::Result wait = database.run(kWait, {key, window});
  throw too_many(milliseconds(wait.rows() == 0 ? 0 : wait.integer(0, 0)));
}

}  // namespace limit
