#include "lib/access_token.h"

#include "lib/jwt.h"
#include "lib/metrics.h"
#include "lib/signing_key.h"

namespace access_token {
namespace {

// Members in the plugin's order. `with_email` is false under the shared secret: a Better Auth
// server would take a token with an "email" for one of its own e-mail tokens.
std::string claims(const http::Request& request, const user::User& user, bool with_email) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  json::Writer out;
  out.begin_object().member("iat", std::int64_t{now});
  user::append_members(out, user, with_email);
  out.member("sub", user.id)
      .member("exp", std::int64_t{now + kLifetime.count()})
      .member("iss", request.origin())
      .member("aud", request.origin());
  return out.end_object().take();
}

}  // namespace

std::string issue(const http::Request& request, const user::User& user, db::Connection& database) {
  const env::Settings& settings = request.settings();
  const bool by_secret = settings.token_key == env::Settings::TokenKey::shared_secret;
  std::string token;
  if (by_secret) {
    token = jwt::sign_hs256(R"({"alg":"HS256","typ":"JWT"})", claims(request, user, false),
                            settings.secret.view());
  } else {
    const signing_key::SigningKey& key = signing_key::current(settings, database);
    token = jwt::sign_eddsa(key.id, claims(request, user, true), key.key);
  }
  metrics::count_token(by_secret);
  return token;
}

}  // namespace access_token
