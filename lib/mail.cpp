#include "lib/mail.h"

#include <chrono>

#include "lib/jwt.h"
#include "lib/uri.h"

namespace mail {
namespace {

constexpr std::chrono::seconds kLifetime{3600};

std::optional<std::string> text(const json::Value& claims, std::string_view name) {
  const json::Value* value = claims.find(name);
  if (value == nullptr || value->string() == nullptr) return std::nullopt;
  return *value->string();
}

}  // namespace

std::string link_base(const http::Request& request) {
  return request.origin() + request.settings().auth_path;
}

std::string sign(const Token& token, const http::Request& request) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  json::Writer claims;
  claims.begin_object().member("email", token.email);
  if (token.update_to) claims.member("updateTo", *token.update_to);
  if (token.request_type) claims.member("requestType", *token.request_type);
  if (token.user_id) claims.member("userId", *token.user_id);
  claims.member("iat", std::int64_t{now})
      .member("exp", std::int64_t{now + kLifetime.count()})
      .end_object();
  return jwt::sign_hs256(R"({"alg":"HS256"})", claims.text(), request.settings().secret.view());
}

std::variant<Token, Refused> verify(std::string_view token, const http::Request& request) {
  const crypto::VerifyKey key = crypto::VerifyKey::hmac("", request.settings().secret.view());
  const auto verified =
      jwt::verify(token, {&key, 1}, {{}, {}, false}, std::chrono::system_clock::now());
  if (const auto* reason = std::get_if<jwt::Refused>(&verified))
    return *reason == jwt::Refused::expired ? Refused::token_expired : Refused::invalid_token;
  const json::Value& claims = std::get<json::Value>(verified);
  // An access token is signed with the same secret: whoever holds one has not read a mail.
  for (const std::string_view foreign : {"sub", "iss", "aud", "session"})
    if (claims.find(foreign) != nullptr) return Refused::invalid_token;
  const auto email = text(claims, "email");
  if (!email || email->find('\0') != std::string::npos) return Refused::invalid_token;
  return Token{*email, text(claims, "updateTo"), text(claims, "requestType"),
               text(claims, "userId")};
}

std::string verification_link(const Token& token, std::string_view callback_url,
                              const http::Request& request) {
  return link_base(request) + "/verify-email?token=" + sign(token, request) +
         "&callbackURL=" + uri::percent_encode(callback_url.empty() ? "/" : callback_url);
}

}  // namespace mail
