// POST {auth}/delete-user and GET {auth}/delete-user/callback (the link in the mail): the end of an
// account, with its sessions and tasks. Off unless the deployment allows it.
// Contract: better-auth-wire, section 4.5. Must not know: how a request arrives, how mail is sent.
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

namespace {

// One transaction, unlike the reference. Tasks go with the user by the trigger on that table.
constexpr char kDelete[] =
    "WITH s AS (DELETE FROM session WHERE \"userId\" = $1),"
    "     a AS (DELETE FROM account WHERE \"userId\" = $1)"
    " DELETE FROM \"user\" WHERE id = $1 RETURNING id";

// Spends the token of the mail and deletes its user, if it is this user's.
constexpr char kSpend[] =
    "DELETE FROM verification"
    " WHERE identifier = 'delete-account-' || $1::text AND value = $2 AND \"expiresAt\" > now()"
    " RETURNING id";

constexpr char kAsk[] =
    "WITH v AS ("
    "  INSERT INTO verification (id, identifier, value, \"expiresAt\", \"createdAt\", "
    "\"updatedAt\")"
    "  VALUES ($1, 'delete-account-' || $2::text, $3, " NOW_MS
    " + interval '86400 seconds', " NOW_MS ", " NOW_MS
    ")"
    ") " QUEUE_MAIL "VALUES ('delete-account', $4, $5, $6)";

constexpr std::string_view kTokenAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kTokenLength = 32;
constexpr std::size_t kIdLength = 32;

constexpr const char* kDeleted = R"({"success":true,"message":"User deleted"})";

http::Response deleted(const http::Request& request, const user::User& user,
                       db::Connection& database) {
  database.run(kDelete, {user.id});
  audit::log(request, "account_deleted", user.id);
  http::Response response = http::Response::json(200, kDeleted);
  session::add(response, session::clearing_cookies(request));
  return response;
}

void spend(std::string_view token, const user::User& user, db::Connection& database) {
  if (token.find('\0') != std::string_view::npos ||
      database.run(kSpend, {token, user.id}).rows() == 0)
    throw http::Error::auth(404, "INVALID_TOKEN", "Invalid token");
}

http::Response ask_by_mail(const http::Request& request, const session::Current& current,
                           std::string_view callback_url, db::Connection& database) {
  const std::string token = crypto::random_text(kTokenLength, kTokenAlphabet);
  const std::string link =
      mail::link_base(request) + "/delete-user/callback?token=" + token +
      "&callbackURL=" + uri::percent_encode(callback_url.empty() ? "/" : callback_url);
  database.run(kAsk, {crypto::random_text(kIdLength), token, current.user.id, current.user.email,
                      current.user.name, link});
  http::Response response =
      http::Response::json(200, R"({"success":true,"message":"Verification email sent"})");
  session::add(response, current.cookies);
  return response;
}

http::Response remove(const http::Request& request, db::Connection& database) {
  using Mode = env::Settings::DeleteUser;
  const env::Settings& settings = request.settings();
  form::Body body(request);
  const auto callback_url = body.optional_text("callbackURL");
  const auto password = body.optional_text("password");
  const auto token = body.optional_text("token");
  body.check();
  const session::Current current = session::require(request, database);
  if (settings.delete_user == Mode::off) throw http::Error::empty(404);

  if (password) {
    const auto hash = user::password_hash(current.user.id, database);
    if (!hash)
      throw http::Error::auth(400, "CREDENTIAL_ACCOUNT_NOT_FOUND", "Credential account not found");
    if (!password::matches(*password, *hash)) {
      audit::log(request, "password_refused", current.user.id);
      throw http::Error::auth(400, "INVALID_PASSWORD", "Invalid password");
    }
  }
  if (token) {
    spend(*token, current.user, database);
    return deleted(request, current.user, database);
  }
  if (settings.delete_user == Mode::confirm && settings.smtp)
    return ask_by_mail(request, current, callback_url.value_or(""), database);
  if (!password && !current.fresh)
    throw http::Error::auth(400, "SESSION_EXPIRED",
                            "Session expired. Re-authenticate to perform this action.");
  return deleted(request, current.user, database);
}

http::Response callback(const http::Request& request, db::Connection& database) {
  if (request.settings().delete_user == env::Settings::DeleteUser::off)
    throw http::Error::auth(404, "NOT_FOUND", "Not found");
  const auto url = form::callback_url(request);
  const std::string token = form::query_text(request, "token");
  const session::Found found = session::find(request, database);
  if (!found.current)
    throw http::Error::auth(404, "FAILED_TO_GET_USER_INFO", "Failed to get user info");

  spend(token, found.current->user, database);
  http::Response response = deleted(request, found.current->user, database);
  if (!url) return response;
  http::Response redirect = http::Response::redirect(*url);
  session::add(redirect, session::clearing_cookies(request));
  return redirect;
}

constexpr route::Route kRoutes[] = {
    {http::POST, "{auth}/delete-user", remove},
    {http::GET, "{auth}/delete-user/callback", callback},
};

}  // namespace

int main(int argc, char** argv) { return route::serve("delete_user", kRoutes, argc, argv); }
