// Mail that a request causes. A request only queues it, in the same transaction as what it is
// about; the program `mailer` sends it. So neither the time of an answer nor a failing mail server
// tells who has an account, and nothing is lost when either side stops.
// Must not know: SMTP, what a mail says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/http.h"
#include "lib/user.h"

// Queues a mail as a part of a statement. Parameters: template, recipient, name, link.
// The template "none" is thrown away by the mailer: it costs what a real one costs.
#define QUEUE_MAIL "INSERT INTO todo_mail (template, recipient, name, link) "

namespace mail {

// Where the auth routes are, as a link in a mail names them: from the settings only, never from a
// header of the request.
std::string link_base(const http::Request& request);

// An e-mail token (contract better-auth-wire, section 5.3), valid for an hour.
struct Token {
  std::string email;
  std::optional<std::string> update_to;
  std::optional<std::string> request_type;
  std::optional<std::string> user_id;
};
std::string sign(const Token& token, const http::Request& request);

// Why an e-mail token is refused, by its code.
enum class Refused { invalid_token, token_expired };
// The content of a valid token. Tokens of another kind under the same secret are refused.
std::variant<Token, Refused> verify(std::string_view token, const http::Request& request);

// "<base>/verify-email?token=…&callbackURL=…"
std::string verification_link(const Token& token, std::string_view callback_url,
                              const http::Request& request);

}  // namespace mail
