// Removes what has expired: sessions, verifications, rate limits, keys that are no longer
// published, and keys of repeated requests. No route: a program for a timer, which does its work
// once and says what it removed. Safe at any time, also twice at once. Contract: better-auth-wire,
// sections 3.2, 7, 8.3 and 8.6; tasks-api, section 9.
#include <cstdlib>
#include <iostream>

#include "lib/db.h"
#include "lib/env.h"
#include "lib/logging.h"
#include "lib/sandbox.h"

namespace {

struct Chore {
  const char* name;
  const char* statement;
};

// A key is published for 30 days after it stopped signing; the longest limit's window is a minute.
constexpr Chore kChores[] = {
    {"sessions",
     "WITH gone AS (DELETE FROM session WHERE \"expiresAt\" < now() RETURNING 1)"
     " SELECT count(*) FROM gone"},
    {"verifications",
     "WITH gone AS (DELETE FROM verification WHERE \"expiresAt\" < now() RETURNING 1)"
     " SELECT count(*) FROM gone"},
    {"rate_limits",
     "WITH gone AS (DELETE FROM \"rateLimit\" WHERE \"lastRequest\" <"
     " (extract(epoch FROM now() - interval '1 hour') * 1000)::bigint RETURNING 1)"
     " SELECT count(*) FROM gone"},
    {"keys",
     "WITH gone AS (DELETE FROM jwks WHERE \"expiresAt\" + interval '31 days' < now()"
     " RETURNING 1) SELECT count(*) FROM gone"},
    {"repeats",
     "WITH gone AS (DELETE FROM todo_idempotency WHERE created_at < now() - interval '24 hours'"
     " RETURNING 1) SELECT count(*) FROM gone"},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view option = argc > 1 ? argv[1] : "";
  if (option == "--route") return EXIT_SUCCESS;  // none
  try {
    env::Settings settings = env::load([](const char* name) { return std::getenv(name); });
    std::vector<std::string> warnings;
    settings.database_url = db::normalized_url(settings.database_url, warnings);
    if (option == "--check") return EXIT_SUCCESS;
    sandbox::enter(settings, "maintenance");
    db::Connection database(settings.database_url, "maintenance", {settings.database_roles, 1});
    logging::Line line(logging::Level::info);
    line.field("route", "maintenance");
    for (const Chore& chore : kChores)
      line.field(chore.name, database.run(chore.statement, {}).integer(0, 0));
    return EXIT_SUCCESS;
  } catch (const db::Error& error) {
    logging::Line(logging::Level::error).field("route", "maintenance").field("err", error.what());
    return EXIT_FAILURE;
  } catch (const std::exception& mistake) {
    std::cerr << mistake.what() << std::endl;
    return 78;
  }
}
