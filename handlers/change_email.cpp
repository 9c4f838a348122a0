// POST {auth}/change-email: asks, by mail, whether an address may take the place of the user's.
// Contract: better-auth-wire, section 4.6. Must not know: how a request arrives, how mail is sent.
#include "lib/db.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/mail.h"
#include "lib/route.h"
#include "lib/session.h"
#include "lib/user.h"
#include "lib/utf8.h"

namespace {

// A taken address gets no mail, and the same answer after the same work.
constexpr char kQueue[] = QUEUE_MAIL
    "SELECT CASE WHEN EXISTS (SELECT FROM \"user\" WHERE email = $5) THEN 'none' ELSE $1::text END,"
    "       $2, $3, $4";

http::Response handle(const http::Request& request, db::Connection& database) {
  form::Body body(request);
  const std::string email = utf8::ascii_lower(body.email("newEmail"));
  const std::string callback_url = body.optional_text("callbackURL").value_or("");
  body.check();
  const session::Current current = session::require(request, database);
  const env::Settings& settings = request.settings();
  if (settings.change_email == env::Settings::ChangeEmail::off)
    throw http::Error::auth(400, "CHANGE_EMAIL_DISABLED", "Change email is disabled");
  if (email == current.user.email) throw http::Error::auth(400, "", "Email is the same");
  if (!settings.smtp) throw http::Error::auth(400, "", "Verification email isn't enabled");

  // A verified address is asked first, where the deployment wants that.
  const bool asks_old =
      settings.change_email == env::Settings::ChangeEmail::confirm && current.user.email_verified;
  const std::string link = mail::verification_link(
      {current.user.email, email,
       asks_old ? "change-email-confirmation" : "change-email-verification", current.user.id},
      callback_url, request);
  database.run(kQueue, {asks_old ? "change-email-confirmation" : "change-email",
                        asks_old ? current.user.email : email, current.user.name, link, email});
  http::Response response = http::Response::json(200, R"({"status":true})");
  session::add(response, current.cookies);
  return response;
}

constexpr route::Route kRoutes[] = {{http::POST, "{auth}/change-email", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("change_email", kRoutes, argc, argv); }
