// GET {auth}/list-sessions, POST {auth}/revoke-session, /revoke-sessions, /revoke-other-sessions
// and /update-session: the sessions of the user.
// Contract: better-auth-wire, sections 3.3 to 3.5. Must not know: how a request arrives.
#include "lib/audit.h"
#include "lib/db.h"
#include "lib/form.h"
#include "lib/http.h"
#include "lib/route.h"
#include "lib/session.h"

namespace {

constexpr char kList[] = "SELECT " SESSION_COLUMNS
                         " FROM session s WHERE s.\"userId\" = $1 AND s.\"expiresAt\" >= now()"
                         " ORDER BY s.\"createdAt\" DESC";
constexpr char kRevokeOne[] =
    "DELETE FROM session WHERE \"userId\" = $1 AND token = $2 RETURNING id";
constexpr char kRevokeOthers[] = "DELETE FROM session WHERE \"userId\" = $1 AND token <> $2";
constexpr char kRevokeAll[] = "DELETE FROM session WHERE \"userId\" = $1";

constexpr const char* kDone = R"({"status":true})";

http::Response list(const http::Request& request, db::Connection& database) {
  const session::Current current = session::require_fresh(request, database);

  const db::Result rows = database.run(kList, {current.user.id});
  json::Writer out;
  out.begin_array();
  for (int row = 0; row < rows.rows(); ++row)
    session::append_json(out, session::from_row(rows, row));
  http::Response response = http::Response::json(200, out.end_array().take());
  session::add(response, current.cookies);
  return response;
}

// The same answer for a token that is unknown or another user's.
http::Response revoke(const http::Request& request, db::Connection& database) {
  form::Body body(request);
  const std::string token = body.text("token");
  body.check();
  const session::Current current = session::require(request, database);

  if (token.find('\0') == std::string::npos &&
      database.run(kRevokeOne, {current.user.id, token}).rows() != 0)
    audit::log(request, "sessions_revoked", current.user.id, "one");
  http::Response response = http::Response::json(200, kDone);
  session::add(response, token == current.session.token ? session::clearing_cookies(request)
                                                        : current.cookies);
  return response;
}

http::Response revoke_others(const http::Request& request, db::Connection& database) {
  form::Body(request, {false, true, {"object"}}).check();
  const session::Current current = session::require(request, database);

  database.run(kRevokeOthers, {current.user.id, current.session.token});
  audit::log(request, "sessions_revoked", current.user.id, "others");
  http::Response response = http::Response::json(200, kDone);
  session::add(response, current.cookies);
  return response;
}

http::Response revoke_all(const http::Request& request, db::Connection& database) {
  form::Body(request, {false, true, {"object"}}).check();
  const session::Current current = session::require(request, database);

  database.run(kRevokeAll, {current.user.id});
  audit::log(request, "sessions_revoked", current.user.id, "all");
  http::Response response = http::Response::json(200, kDone);
  session::add(response, session::clearing_cookies(request));
  return response;
}

// Sessions have no members of their own that a client could set.
http::Response update(const http::Request& request, db::Connection& database) {
  form::Body(request, {false, false, {"record"}}).check();
  session::require(request, database);
  throw http::Error::auth(400, "", "No fields to update");
}

constexpr route::Route kRoutes[] = {
    {http::GET, "{auth}/list-sessions", list},
    {http::POST, "{auth}/revoke-session", revoke},
    {http::POST, "{auth}/revoke-other-sessions", revoke_others},
    {http::POST, "{auth}/revoke-sessions", revoke_all},
    {http::POST, "{auth}/update-session", update},
};

}  // namespace

int main(int argc, char** argv) { return route::serve("sessions", kRoutes, argc, argv); }
