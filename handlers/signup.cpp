// POST {auth}/sign-up/email: a new user with a password, signed in at once.
// Contract: better-auth-wire, section 2.1. Must not know: how a request arrives.
#include "lib/audit.h"
#include "lib/crypto.h"
#include "lib/db.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/mail.h"
#include "lib/password.h"
#include "lib/route.h"
#include "lib/session.h"
#include "lib/user.h"
#include "lib/utf8.h"

namespace {

// User, account, session and mail in one statement: all of it happens, or nothing. $7 false: no
// session. $13 NULL: no mail.
constexpr char kSignUp[] =
    "WITH u AS ("
    "  INSERT INTO \"user\" (id, name, email, \"emailVerified\", image, \"createdAt\","
    "                      \"updatedAt\")"
    "  VALUES ($1, $2, $3, false, $4, " NOW_MS ", " NOW_MS
    ")"
    "  RETURNING id, name, email, \"emailVerified\", image, \"createdAt\", \"updatedAt\""
    "), a AS ("
    "  INSERT INTO account (id, \"accountId\", \"providerId\", \"userId\", password,"
    "                       \"createdAt\", \"updatedAt\")"
    "  SELECT $5, u.id, 'credential', u.id, $6, " NOW_MS ", " NOW_MS
    " FROM u"
    "), s AS ("
    "  INSERT INTO session (id, token, \"userId\", \"ipAddress\", \"userAgent\", \"expiresAt\","
    "                       \"createdAt\", \"updatedAt\")"
    "  SELECT $8, $9, u.id, $10, $11, " NOW_MS " + $12::bigint * interval '1 second', " NOW_MS
    ", " NOW_MS
    "    FROM u WHERE $7::boolean"
    "), m AS (" QUEUE_MAIL
    "  SELECT 'verify-email', u.email, u.name, $13 FROM u WHERE $13::text IS NOT NULL"
    ") SELECT " USER_COLUMNS " FROM u";

constexpr char kIsTaken[] = "SELECT id FROM \"user\" WHERE email = $1";

constexpr std::size_t kIdLength = 32;

struct SignUp {
  std::string name;
  std::string email;
  std::string password;
  std::optional<std::string> image;
  std::string callback_url;
  bool remember_me = true;
};

SignUp input(const http::Request& request) {
  form::Body body(request, {true, false, {"object", "record"}});
  SignUp input;
  input.name = body.text("name");
  input.email = utf8::ascii_lower(body.email("email"));
  input.password = body.filled_text("password");
  input.image = body.optional_text("image");
  input.callback_url = body.optional_text("callbackURL").value_or("");
  input.remember_me = body.optional_flag("rememberMe").value_or(true);
  body.check();
  form::require_login_origin(request);

  user::require_password_length(input.password, request.settings());
  return input;
}

http::Response answer(const std::optional<std::string>& token, const user::User& user) {
  json::Writer out;
  out.begin_object().member("token", token).key("user");
  user::append_json(out, user);
  return http::Response::json(200, out.end_object().take());
}

// Where sign-up does not sign in, a taken address must look like a free one (section 2.1).
http::Response made_up(const SignUp& input) {
  password::waste_time(input.password);
  const auto now = timestamp::now();
  return answer(std::nullopt, {input.name, input.email, false, input.image, now, now,
                               crypto::random_text(kIdLength)});
}

// The link that confirms the new address, where the deployment asks for that and can send mail.
std::optional<std::string> verification_link(const http::Request& request, const SignUp& input,
                                             const std::string& user_id) {
  if (!request.settings().require_email_verification || !request.settings().smtp)
    return std::nullopt;
  return mail::verification_link({input.email, {}, {}, user_id}, input.callback_url, request);
}

http::Response handle(const http::Request& request, db::Connection& database) {
  const SignUp input = ::input(request);
  const bool signs_in =
      request.settings().auto_sign_in && !request.settings().require_email_verification;
  if (database.run(kIsTaken, {input.email}).rows() != 0) {
    if (!signs_in) return made_up(input);
    throw http::Error::auth(422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
                            "User already exists. Use another email.");
  }

  const std::string hash = password::hash(input.password);
  const std::string id = crypto::random_text(kIdLength);
  const session::New session = session::prepare(request, input.remember_me);
  try {
    const db::Result created = database.run(
        kSignUp, {id, input.name, input.email, input.image, crypto::random_text(kIdLength), hash,
                  signs_in ? "true" : "false", session.id, session.token, session.ip_address,
                  session.user_agent, session.lifetime, verification_link(request, input, id)});
    const user::User user = user::from_row(created, 0);
    audit::log(request, "sign_up", user.id);
    if (!signs_in) return answer(std::nullopt, user);
    http::Response response = answer(session.token, user);
    session::add(response, session::cookies(request, session.token, input.remember_me));
    return response;
  } catch (const db::Error& error) {
    // Somebody else took the address meanwhile, or the name cannot be stored (U+0000).
    if (error.constraint == "user_email_key" || error.sqlstate == "22021")
      throw http::Error::auth(422, "FAILED_TO_CREATE_USER", "Failed to create user");
    throw;
  }
}

constexpr route::Route kRoutes[] = {{http::POST, "{auth}/sign-up/email", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("signup", kRoutes, argc, argv); }
