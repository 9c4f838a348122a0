// POST {auth}/update-user, /change-password, /verify-password, /unlink-account and
// GET {auth}/list-accounts: what a user may change of their own account.
// Contract: better-auth-wire, sections 4.1 to 4.4. Must not know: how a request arrives.
#include "lib/audit.h"
#include "lib/crypto.h"
#include "lib/db.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/password.h"
#include "lib/route.h"
#include "lib/session.h"
#include "lib/user.h"

namespace {

// $2 and $4 tell "not sent" from a value; the image may be cleared.
constexpr char kUpdateUser[] =
    "UPDATE \"user\" SET name = CASE WHEN $2::boolean THEN $3 ELSE name END,"
    "                  image = CASE WHEN $4::boolean THEN $5 ELSE image END,"
    "                  \"updatedAt\" = " NOW_MS " WHERE id = $1";

constexpr char kChangePassword[] =
    "UPDATE account SET password = $2, \"updatedAt\" = " NOW_MS
    " WHERE \"userId\" = $1 AND \"providerId\" = 'credential' AND \"accountId\" = $1";

// The new password, the end of all sessions and the one new session: all of it, or nothing.
constexpr char kChangeAndRevoke[] =
    "WITH changed AS ("
    "  UPDATE account SET password = $2, \"updatedAt\" = " NOW_MS
    "   WHERE \"userId\" = $1 AND \"providerId\" = 'credential' AND \"accountId\" = $1"
    "), ended AS ("
    "  DELETE FROM session WHERE \"userId\" = $1"
    ") INSERT INTO session (id, token, \"userId\", \"ipAddress\", \"userAgent\", \"expiresAt\","
    "                       \"createdAt\", \"updatedAt\")"
    "  VALUES ($3, $4, $1, $5, $6, " NOW_MS " + $7::bigint * interval '1 second', " NOW_MS
    ", " NOW_MS ")";

constexpr char kListAccounts[] =
    "SELECT \"accountId\", \"providerId\", \"userId\", \"createdAt\", \"updatedAt\", id, scope"
    "  FROM account WHERE \"userId\" = $1 ORDER BY \"createdAt\"";

constexpr char kCountAccounts[] = "SELECT count(id) FROM account WHERE \"userId\" = $1";

// The last account stays, also when two requests unlink at once: the user's row serialises them.
constexpr char kUnlink[] =
    "WITH owner AS (SELECT id FROM \"user\" WHERE id = $1 FOR UPDATE)"
    " DELETE FROM account WHERE \"userId\" = (SELECT id FROM owner) AND id = $2"
    "    AND (SELECT count(other.id) FROM account other WHERE other.\"userId\" = $1) > 1"
    " RETURNING id";

http::Response done(const http::Headers& cookies, std::string body = R"({"status":true})") {
  http::Response response = http::Response::json(200, std::move(body));
  session::add(response, cookies);
  return response;
}

// A text member that may be absent; null counts as absent unless the member may be cleared.
std::optional<std::string> member_text(const form::Body& body, std::string_view name,
                                       bool may_be_null) {
  const json::Value* value = body.find(name);
  if (value == nullptr || (may_be_null && value->is(json::Kind::null))) return std::nullopt;
  if (value->string() == nullptr || value->string()->find('\0') != std::string::npos)
    throw http::Error::auth(400, "VALIDATION_ERROR",
                            "[body." + std::string(name) + "] Invalid input: expected string");
  return *value->string();
}

http::Response update_user(const http::Request& request, db::Connection& database) {
  form::Body body(request, {false, false, {"record"}});
  body.check();
  const session::Current current = session::require(request, database);
  if (const json::Value* email = body.find("email");
      email != nullptr && (email->string() == nullptr || !email->string()->empty()) &&
      !email->is(json::Kind::null))
    throw http::Error::auth(400, "EMAIL_CAN_NOT_BE_UPDATED", "Email can not be updated");
  const auto name = member_text(body, "name", false);
  const auto image = member_text(body, "image", true);
  const bool has_image = body.find("image") != nullptr;
  if (!name && !has_image) throw http::Error::auth(400, "", "No fields to update");

  database.run(kUpdateUser, {current.user.id, name ? "true" : "false", name,
                             has_image ? "true" : "false", image});
  return done(
      session::cookies(request, current.session.token, !session::is_not_remembered(request)));
}

// Throws 400 if the password is not the user's.
void require_password(const http::Request& request, std::string_view password,
                      const user::User& user, db::Connection& database) {
  const auto hash = user::password_hash(user.id, database);
  if (!hash)
    throw http::Error::auth(400, "CREDENTIAL_ACCOUNT_NOT_FOUND", "Credential account not found");
  if (password::matches(password, *hash)) return;
  audit::log(request, "password_refused", user.id);
  throw http::Error::auth(400, "INVALID_PASSWORD", "Invalid password");
}

http::Response change_password(const http::Request& request, db::Connection& database) {
  form::Body body(request);
  const std::string new_password = body.text("newPassword");
  const std::string old_password = body.text("currentPassword");
  const bool revokes = body.optional_flag("revokeOtherSessions").value_or(false);
  body.check();
  const session::Current current = session::require(request, database);
  user::require_password_length(new_password, request.settings());
  user::require_password_not_too_long(old_password, request.settings());
  require_password(request, old_password, current.user, database);

  const std::string hash = password::hash(new_password);
  std::optional<std::string> token;
  http::Headers cookies = current.cookies;
  if (revokes) {
    const bool remembered = !session::is_not_remembered(request);
    const session::New next = session::prepare(request, remembered);
    database.run(kChangeAndRevoke, {current.user.id, hash, next.id, next.token, next.ip_address,
                                    next.user_agent, next.lifetime});
    token = next.token;
    cookies = session::cookies(request, next.token, remembered);
  } else {
    database.run(kChangePassword, {current.user.id, hash});
  }
  audit::log(request, "password_changed", current.user.id, revokes ? "sessions ended" : "");
  json::Writer out;
  out.begin_object().member("token", token).key("user");
  user::append_json(out, current.user);
  return done(cookies, out.end_object().take());
}

http::Response verify_password(const http::Request& request, db::Connection& database) {
  form::Body body(request);
  const std::string password = body.text("password");
  body.check();
  const session::Current current = session::require(request, database);
  user::require_password_not_too_long(password, request.settings());

  const auto hash = user::password_hash(current.user.id, database);
  if (!hash || !password::matches(password, *hash)) {
    audit::log(request, "password_refused", current.user.id);
    throw http::Error::auth(400, "INVALID_PASSWORD", "Invalid password");
  }
  return done(current.cookies);
}

// "openid,email" -> ["openid","email"]
void append_scopes(json::Writer& out, std::string_view scope) {
  out.begin_array();
  while (!scope.empty()) {
    const std::size_t comma = std::min(scope.find(','), scope.size());
    out.value(scope.substr(0, comma));
    scope.remove_prefix(std::min(comma + 1, scope.size()));
  }
  out.end_array();
}

http::Response list_accounts(const http::Request& request, db::Connection& database) {
  const session::Current current = session::require(request, database);

  const db::Result rows = database.run(kListAccounts, {current.user.id});
  json::Writer out;
  out.begin_array();
  for (int row = 0; row < rows.rows(); ++row) {
    out.begin_object()
        .member("accountId", rows.text(row, 0))
        .member("providerId", rows.text(row, 1))
        .member("userId", rows.text(row, 2))
        .member("createdAt", timestamp::to_text(rows.time(row, 3)))
        .member("updatedAt", timestamp::to_text(rows.time(row, 4)))
        .member("id", rows.text(row, 5))
        .key("scopes");
    append_scopes(out, rows.maybe_text(row, 6).value_or(""));
    out.end_object();
  }
  return done(current.cookies, out.end_array().take());
}

http::Response unlink(const http::Request& request, db::Connection& database) {
  form::Body body(request);
  const std::string account = body.text("accountId");
  body.check();
  const session::Current current = session::require_fresh(request, database);

  if (database.run(kCountAccounts, {current.user.id}).integer(0, 0) <= 1)
    throw http::Error::auth(400, "FAILED_TO_UNLINK_LAST_ACCOUNT",
                            "You can't unlink your last account");
  if (account.find('\0') != std::string::npos ||
      database.run(kUnlink, {current.user.id, account}).rows() == 0)
    throw http::Error::auth(400, "ACCOUNT_NOT_FOUND", "Account not found");
  return done(current.cookies);
}

constexpr route::Route kRoutes[] = {
    {http::POST, "{auth}/update-user", update_user},
    {http::POST, "{auth}/change-password", change_password},
    {http::POST, "{auth}/verify-password", verify_password},
    {http::GET, "{auth}/list-accounts", list_accounts},
    {http::POST, "{auth}/unlink-account", unlink},
};

}  // namespace

int main(int argc, char** argv) { return route::serve("account", kRoutes, argc, argv); }
