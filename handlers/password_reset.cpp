// POST {auth}/request-password-reset, GET {auth}/reset-password/{token} (the link in the mail) and
// POST {auth}/reset-password.
// Contract: better-auth-wire, section 6. Must not know: how a request arrives, how mail is sent.
#include <algorithm>

#include "lib/audit.h"
#include "lib/crypto.h"
#include "lib/db.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/mail.h"
#include "lib/password.h"
#include "lib/route.h"
#include "lib/session.h"
#include "lib/uri.h"
#include "lib/user.h"
#include "lib/utf8.h"

namespace {

// The same work whether or not somebody has the address, so that its time does not tell: without a
// user, a token that is sent to nobody and belongs to nobody, and a mail that the mailer drops.
constexpr char kRequest[] =
    "WITH u AS ("
    "  SELECT found.id, found.name, found.email"
    "    FROM (SELECT) always LEFT JOIN \"user\" found ON found.email = $1"
    "), v AS ("
    "  INSERT INTO verification (id, identifier, value, \"expiresAt\", \"createdAt\", "
    "\"updatedAt\")"
    "  SELECT $2, 'reset-password:' || $3::text, COALESCE(u.id, ''),"
    "         " NOW_MS " + interval '3600 seconds', " NOW_MS ", " NOW_MS
    "    FROM u"
    ") " QUEUE_MAIL
    "SELECT CASE WHEN u.id IS NULL THEN 'none' ELSE 'reset-password' END,"
    "       COALESCE(u.email, $1), COALESCE(u.name, ''), $4"
    "  FROM u";

constexpr char kIsValid[] =
    "SELECT id FROM verification"
    " WHERE identifier = 'reset-password:' || $1::text AND \"expiresAt\" > now()";

// Spends the token and does what it is for, or neither: of two requests at once, one deletes the
// row and the other finds none. $4: end all sessions.
constexpr char kReset[] =
    "WITH spent AS ("
    "  DELETE FROM verification"
    "   WHERE identifier = 'reset-password:' || $1::text AND \"expiresAt\" > now()"
    "  RETURNING value"
    "), owner AS ("
    "  SELECT id FROM \"user\" WHERE id IN (SELECT value FROM spent)"
    "), changed AS ("
    "  UPDATE account SET password = $2, \"updatedAt\" = " NOW_MS
    "    FROM owner"
    "   WHERE \"userId\" = owner.id AND \"providerId\" = 'credential'"
    "), made AS ("
    "  INSERT INTO account (id, \"accountId\", \"providerId\", \"userId\", password, \"createdAt\","
    "                       \"updatedAt\")"
    "  SELECT $3, owner.id, 'credential', owner.id, $2, " NOW_MS ", " NOW_MS
    "    FROM owner"
    "   WHERE NOT EXISTS (SELECT FROM account"
    "                      WHERE \"userId\" = owner.id AND \"providerId\" = 'credential')"
    "), ended AS ("
    "  DELETE FROM session WHERE $4::boolean AND \"userId\" IN (SELECT id FROM owner)"
    ") SELECT (SELECT count(value) FROM spent), (SELECT min(id) FROM owner)";

constexpr std::size_t kTokenLength = 24;
constexpr std::size_t kIdLength = 32;

http::Error invalid_token() { return http::Error::auth(400, "INVALID_TOKEN", "Invalid token"); }

// The link goes to the GET route below, which sends the browser on.
http::Response request_reset(const http::Request& request, db::Connection& database) {
  form::Body body(request);
  const std::string email = utf8::ascii_lower(body.email("email"));
  const std::string redirect_to = body.optional_text("redirectTo").value_or("");
  body.check();
  if (!request.settings().smtp)
    throw http::Error::auth(400, "RESET_PASSWORD_DISABLED", "Reset password isn't enabled");

  const std::string token = crypto::random_text(kTokenLength);
  const std::string link = mail::link_base(request) + "/reset-password/" + token +
                           "?callbackURL=" + uri::percent_encode(redirect_to);
  database.run(kRequest, {email, crypto::random_text(kIdLength), token, link});
  return http::Response::json(
      200,
      R"({"status":true,"message":"If this email exists in our system, check your email for the reset link"})");
}

// Sends the browser to the page that asks for the new password. The token is not spent by it:
// programs that look into mail follow links.
http::Response follow_link(const http::Request& request, db::Connection& database) {
  const http::Query query = request.query();
  if (std::none_of(query.pairs().begin(), query.pairs().end(),
                   [](const auto& pair) { return pair.first == "callbackURL"; }))
    throw http::Error::auth(
        400, "VALIDATION_ERROR",
        "[query.callbackURL] Invalid input: expected string, received undefined");
  const auto url = form::callback_url(request);
  if (!url)
    return http::Response::redirect(mail::link_base(request) + "/error?error=INVALID_TOKEN");

  const std::string token = request.path_parameter("token").value_or("");
  const std::string absolute = url->starts_with('/') ? request.origin() + *url : *url;
  const bool is_valid = database.run(kIsValid, {token}).rows() != 0;
  return http::Response::redirect(is_valid
                                      ? uri::with_parameter(absolute, "token", token)
                                      : uri::with_parameter(absolute, "error", "INVALID_TOKEN"));
}

http::Response reset(const http::Request& request, db::Connection& database) {
  form::Body body(request);
  const std::string new_password = body.text("newPassword");
  auto token = body.optional_text("token");
  body.check();
  if (!token || token->empty()) token = request.query().value("token");
  if (!token || token->find('\0') != std::string::npos) throw invalid_token();
  user::require_password_length(new_password, request.settings());
  // Looked up before the hash is made, which is dear; what counts is kReset.
  if (database.run(kIsValid, {*token}).rows() == 0) throw invalid_token();

  const db::Result done =
      database.run(kReset, {*token, password::hash(new_password), crypto::random_text(kIdLength),
                            request.settings().revoke_sessions_on_reset ? "true" : "false"});
  if (done.integer(0, 0) == 0) throw invalid_token();
  if (done.is_null(0, 1)) throw http::Error::auth(400, "USER_NOT_FOUND", "User not found");
  audit::log(request, "password_reset", done.text(0, 1),
             request.settings().revoke_sessions_on_reset ? "sessions ended" : "");
  return http::Response::json(200, R"({"status":true})");
}

constexpr route::Route kRoutes[] = {
    {http::POST, "{auth}/request-password-reset", request_reset},
    {http::GET, "{auth}/reset-password/{token}", follow_link},
    {http::POST, "{auth}/reset-password", reset},
};

}  // namespace

int main(int argc, char** argv) { return route::serve("password_reset", kRoutes, argc, argv); }
