// POST {auth}/send-verification-email and GET {auth}/verify-email (the link in the mail), which
// also completes a change of address.
// Contract: better-auth-wire, section 5. Must not know: how a request arrives, how mail is sent.
#include <chrono>

#include "lib/audit.h"
#include "lib/db.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/loop.h"
#include "lib/mail.h"
#include "lib/route.h"
#include "lib/session.h"
#include "lib/uri.h"
#include "lib/user.h"
#include "lib/utf8.h"

namespace {

// The shortest time of an answer to who has no session (section 5.1): it hides what was done.
constexpr std::chrono::milliseconds kLeastTime{500};

constexpr char kQueue[] = QUEUE_MAIL "VALUES ($1, $2, $3, $4)";

constexpr char kFind[] = "SELECT " USER_COLUMNS " FROM \"user\" u WHERE u.email = $1";

constexpr char kVerify[] = "UPDATE \"user\" SET \"emailVerified\" = true, \"updatedAt\" = " NOW_MS
                           " WHERE id = $1 AND NOT \"emailVerified\"";

// Only from the address that the link was made for: so the link works once.
constexpr char kChange[] = "UPDATE \"user\" u SET email = $3, \"updatedAt\" = " NOW_MS
                           " WHERE u.id = $1 AND u.email = $2 RETURNING " USER_COLUMNS;

std::optional<user::User> find_user(std::string_view email, db::Connection& database) {
  const db::Result found = database.run(kFind, {email});
  if (found.rows() == 0) return std::nullopt;
  return user::from_row(found, 0);
}

void queue_verification(const http::Request& request, const user::User& user,
                        std::string_view callback_url, db::Connection& database) {
  const std::string link =
      mail::verification_link({user.email, {}, {}, user.id}, callback_url, request);
  database.run(kQueue, {"verify-email", user.email, user.name, link});
}

http::Response send(const http::Request& request, db::Connection& database) {
  const auto begin = loop::Clock::now();
  form::Body body(request);
  const std::string email = utf8::ascii_lower(body.email("email"));
  const std::string callback_url = body.optional_text("callbackURL").value_or("");
  body.check();
  if (!request.settings().smtp)
    throw http::Error::auth(400, "VERIFICATION_EMAIL_NOT_ENABLED",
                            "Verification email isn't enabled");

  http::Response response = http::Response::json(200, R"({"status":true})");
  const session::Found found = session::find(request, database);
  if (found.current) {
    const user::User& user = found.current->user;
    if (user.email != email) throw http::Error::auth(400, "EMAIL_MISMATCH", "Email mismatch");
    if (user.email_verified)
      throw http::Error::auth(400, "EMAIL_ALREADY_VERIFIED", "Email is already verified");
    queue_verification(request, user, callback_url, database);
    session::add(response, found.current->cookies);
    return response;
  }
  const auto user = find_user(email, database);
  if (user && !user->email_verified) queue_verification(request, *user, callback_url, database);
  loop::sleep_until(begin + kLeastTime);
  return response;
}

// What became of a link: a code of the contract, or nothing if it did what it is for.
using Code = std::optional<std::string_view>;

http::Response answer(const http::Request& request, Code code, std::string body) {
  const auto callback_url = form::callback_url(request);
  if (code && callback_url)
    return http::Response::redirect(uri::with_parameter(*callback_url, "error", *code));
  if (code) {
    const std::string_view words = *code == "TOKEN_EXPIRED"    ? "Token expired"
                                   : *code == "USER_NOT_FOUND" ? "User not found"
                                   : *code == "INVALID_USER"   ? "Invalid user"
                                                               : "Invalid token";
    throw http::Error::auth(401, std::string(*code), std::string(words));
  }
  if (callback_url) return http::Response::redirect(*callback_url);
  return http::Response::json(200, std::move(body));
}

constexpr const char* kVerified = R"({"status":true,"user":null})";

// The second mail of a change of address goes to the new one, once the old one has agreed.
http::Response confirm_change(const http::Request& request, const mail::Token& token,
                              const user::User& user, db::Connection& database) {
  const mail::Token next{token.email, token.update_to, "change-email-verification", user.id};
  const std::string link =
      mail::verification_link(next, form::callback_url(request).value_or(""), request);
  database.run(kQueue, {"change-email", *token.update_to, user.name, link});
  return answer(request, std::nullopt, R"({"status":true})");
}

http::Response change(const http::Request& request, const mail::Token& token,
                      const user::User& user, db::Connection& database) {
  const session::Found found = session::find(request, database);
  if (found.current && found.current->user.id != user.id)
    return answer(request, "INVALID_USER", "");
  if (token.request_type == "change-email-confirmation")
    return confirm_change(request, token, user, database);

  user::User changed;
  try {
    const db::Result row = database.run(kChange, {user.id, token.email, *token.update_to});
    if (row.rows() == 0) return answer(request, "INVALID_TOKEN", "");
    changed = user::from_row(row, 0);
    audit::log(request, "email_changed", user.id);
  } catch (const db::Error& error) {
    if (error.constraint != "user_email_key") throw;
    return answer(request, "INVALID_TOKEN", "");  // somebody else has the address by now
  }
  json::Writer out;
  out.begin_object().member("status", true).key("user");
  user::append_json(out, changed);
  http::Response response = answer(request, std::nullopt, out.end_object().take());
  if (found.current)
    session::add(response, session::cookies(request, found.current->session.token,
                                            !session::is_not_remembered(request)));
  return response;
}

http::Response verify(const http::Request& request, db::Connection& database) {
  form::callback_url(request);  // an address that is not trusted is refused before all else
  const auto verified = mail::verify(form::query_text(request, "token"), request);
  if (const auto* refused = std::get_if<mail::Refused>(&verified))
    return answer(request,
                  *refused == mail::Refused::token_expired ? "TOKEN_EXPIRED" : "INVALID_TOKEN", "");
  const mail::Token& token = std::get<mail::Token>(verified);
  const auto user = find_user(token.email, database);
  if (token.update_to) {
    if (!token.user_id) return answer(request, "INVALID_TOKEN", "");
    const bool exists = user || user::exists(*token.user_id, database);
    if (!exists) return answer(request, "USER_NOT_FOUND", "");
    if (!user || user->id != *token.user_id) return answer(request, "INVALID_TOKEN", "");
    return change(request, token, *user, database);
  }
  if (!user) return answer(request, "USER_NOT_FOUND", "");
  if (token.user_id && *token.user_id != user->id) return answer(request, "INVALID_TOKEN", "");
  database.run(kVerify, {user->id});
  return answer(request, std::nullopt, kVerified);
}

constexpr route::Route kRoutes[] = {
    {http::POST, "{auth}/send-verification-email", send},
    {http::GET, "{auth}/verify-email", verify},
};

}  // namespace

int main(int argc, char** argv) { return route::serve("verification", kRoutes, argc, argv); }
