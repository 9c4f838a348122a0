// GET {auth}/get-session: who is signed in, or null.
// Contract: better-auth-wire, sections 3.1 and 3.2. Must not know: how a request arrives.
#include "lib/session.h"

#include "lib/access_token.h"
#include "lib/db.h"
#include "lib/http.h"
#include "lib/route.h"

namespace {

// A header of more than this would not fit into what web servers take by default beside the rest.
constexpr std::size_t kMaxTokenBytes = 8000;

http::Response uncached(std::string body) {
  return http::Response::json(200, std::move(body))
      .add("Cache-Control", "no-store")
      .add("Pragma", "no-cache");
}

session::Found find(const http::Request& request, db::Connection& database) {
  const bool never = request.query().value("disableRefresh").has_value();
  try {
    return session::find(request, database,
                         never ? session::Refresh::never : session::Refresh::when_due);
  } catch (const db::Error& error) {
    if (error.kind != db::Error::Kind::refused) throw;
    throw http::Error::auth(500, "FAILED_TO_GET_SESSION", "Failed to get session");
  }
}

http::Response get(const http::Request& request, db::Connection& database) {
  const session::Found found = find(request, database);
  if (!found.current) {
    http::Response response = uncached("null");
    if (found.had_cookie) session::add(response, session::clearing_cookies(request));
    return response;
  }

  const session::Current& current = *found.current;
  json::Writer out;
  out.begin_object().key("session");
  session::append_json(out, current.session);
  out.key("user");
  user::append_json(out, current.user);
  http::Response response = uncached(out.end_object().take());
  session::add(response, current.cookies);
  if (std::string token = access_token::issue(request, current.user, database);
      token.size() <= kMaxTokenBytes)
    // cppcheck-suppress accessMoved ; moved once: it is its own argument that cppcheck means
    response.add("set-auth-jwt", std::move(token))
        .add("Access-Control-Expose-Headers", "set-auth-jwt");
  return response;
}

http::Response post(const http::Request&, db::Connection&) {
  throw http::Error::auth(405, "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED",
                          "POST method requires deferSessionRefresh to be enabled in session "
                          "config");
}

constexpr route::Route kRoutes[] = {{http::GET, "{auth}/get-session", get},
                                    {http::POST, "{auth}/get-session", post}};

}  // namespace

int main(int argc, char** argv) { return route::serve("session", kRoutes, argc, argv); }
