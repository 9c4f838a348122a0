// GET /health: this program runs. GET /ready: what the service needs is there. GET {auth}/ok.
// Contract: tasks-api, section 1; better-auth-wire, section 1.8. Causes are for the log: clients
// learn only which check failed. Must not know: how a request arrives.
#include "lib/db.h"
#include "lib/http.h"
#include "lib/logging.h"
#include "lib/route.h"

namespace {

// NULL for each table that is missing.
constexpr char kTables[] =
    "SELECT to_regclass('public.task')::text, to_regclass('public.\"user\"')::text,"
    "       to_regclass('public.session')::text, to_regclass('public.account')::text,"
    "       to_regclass('public.jwks')::text";

http::Response live(const http::Request&, db::Connection&) {
  return http::Response::json(200, R"({"status":"healthy"})");
}

http::Response ok(const http::Request&, db::Connection&) {
  return http::Response::json(200, R"({"ok":true})");
}

http::Response ready(const http::Request&, db::Connection& database) {
  bool reachable = true;
  bool complete = true;
  try {
    const db::Result tables = database.run(kTables, {});
    for (int column = 0; column < 5; ++column) complete = complete && !tables.is_null(0, column);
  } catch (const db::Error& error) {
    // It answered, but the program's role is not there: the migrations have not been run.
    reachable = error.kind == db::Error::Kind::refused;
    complete = false;
    logging::Line(logging::Level::error).field("route", "health").field("err", error.what());
  }
  const bool is_ready = reachable && complete;
  json::Writer out;
  out.begin_object().member("status", is_ready ? "ready" : "unready").key("checks").begin_object();
  out.member("database", reachable ? "ok" : "failed");
  out.member("schema", !reachable ? "unknown" : complete ? "ok" : "failed");
  out.end_object().end_object();
  http::Response response = http::Response::json(is_ready ? 200 : 503, out.take());
  if (!is_ready) response.add("Retry-After", "2");
  return response;
}

constexpr route::Route kRoutes[] = {{http::GET | http::HEAD, "(/api)?/health", live},
                                    {http::GET | http::HEAD, "(/api)?/ready", ready},
                                    {http::GET, "{auth}/ok", ok}};

}  // namespace

int main(int argc, char** argv) { return route::serve("health", kRoutes, argc, argv); }
