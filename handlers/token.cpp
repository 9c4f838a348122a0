// GET {auth}/token: an access token for the task service.
// Contract: better-auth-wire, section 7. Must not know: how a request arrives.
#include "lib/access_token.h"
#include "lib/db.h"
#include "lib/http.h"
#include "lib/route.h"
#include "lib/session.h"

namespace {

http::Response handle(const http::Request& request, db::Connection& database) {
  const session::Current current = session::require(request, database);

  json::Writer out;
  out.begin_object()
      .member("token", access_token::issue(request, current.user, database))
      .end_object();
  http::Response response = http::Response::json(200, out.take());
  session::add(response, current.cookies);
  return response;
}

constexpr route::Route kRoutes[] = {{http::GET, "{auth}/token", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("token", kRoutes, argc, argv); }
