// POST {auth}/sign-out: ends the session of the cookie, if there is one.
// Contract: better-auth-wire, section 2.3. Must not know: how a request arrives.
#include "lib/db.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/route.h"
#include "lib/session.h"

namespace {

constexpr char kSignOut[] = "DELETE FROM session WHERE token = $1";

http::Response handle(const http::Request& request, db::Connection& database) {
  form::Body body(request, {false, true, {"object"}});
  body.check();

  if (const auto token = session::token_of(request)) database.run(kSignOut, {*token});
  http::Response response = http::Response::json(200, R"({"success":true})");
  session::add(response, session::clearing_cookies(request));
  return response;
}

constexpr route::Route kRoutes[] = {{http::POST, "{auth}/sign-out", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("signout", kRoutes, argc, argv); }
