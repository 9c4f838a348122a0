// POST {auth}/sign-in/email: a new session for who knows the password.
// Contract: better-auth-wire, section 2.2. Must not know: how a request arrives.
#include "lib/audit.h"
#include "lib/db.h"
#include "lib/email.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/password.h"
#include "lib/route.h"
#include "lib/session.h"
#include "lib/user.h"
#include "lib/utf8.h"

namespace {

struct SignIn {
  std::string email;
  std::string password;
  std::optional<std::string> callback_url;
  bool remember_me = true;
};

SignIn input(const http::Request& request) {
  form::Body body(request, {true, false, {"object"}});
  SignIn input;
  input.email = utf8::ascii_lower(body.text("email"));
  input.password = body.text("password");
  input.callback_url = body.optional_text("callbackURL");
  input.remember_me = body.optional_flag("rememberMe").value_or(true);
  body.check();
  form::require_login_origin(request);

  if (!email::is_valid(input.email)) throw http::Error::auth(400, "INVALID_EMAIL", "Invalid email");
  user::require_password_not_too_long(input.password, request.settings());
  return input;
}

// The user whose password this is. The same answer, after the same work, for a wrong password and
// for an address that nobody has.
user::User authenticated(const http::Request& request, const SignIn& input,
                         db::Connection& database) {
  const auto credentials = user::find_by_email(input.email, database);
  const bool has_password = credentials && credentials->password_hash;
  if (!has_password) password::waste_time(input.password);
  if (!has_password || !password::matches(input.password, *credentials->password_hash)) {
    audit::log(request, "sign_in_failed", credentials ? credentials->user.id : "",
               credentials ? "password" : "address");
    throw http::Error::auth(401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password");
  }
  return credentials->user;
}

http::Response handle(const http::Request& request, db::Connection& database) {
  const SignIn input = ::input(request);
  const user::User user = authenticated(request, input, database);
  if (request.settings().require_email_verification && !user.email_verified) {
    audit::log(request, "sign_in_failed", user.id, "not verified");
    throw http::Error::auth(403, "EMAIL_NOT_VERIFIED", "Email not verified");
  }

  const session::New session = session::prepare(request, input.remember_me);
  session::insert(session, user.id, database);
  request.set_user(user.id);
  audit::log(request, "sign_in", user.id);

  const bool redirects = input.callback_url && !input.callback_url->empty();
  json::Writer out;
  out.begin_object().member("redirect", redirects).member("token", session.token);
  if (input.callback_url) out.member("url", *input.callback_url);
  out.key("user");
  user::append_json(out, user);
  http::Response response = http::Response::json(200, out.end_object().take());
  session::add(response, session::cookies(request, session.token, input.remember_me));
  if (input.remember_me && session::is_not_remembered(request))
    session::add(response, session::forget_not_remembered(request));
  if (redirects) response.add("Location", *input.callback_url);
  return response;
}

constexpr route::Route kRoutes[] = {{http::POST, "{auth}/sign-in/email", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("signin", kRoutes, argc, argv); }
