// From the routes that a program declares to answers: matching, methods, rate limit, CORS, the two
// forms of an error, the log line, and the one try block around a handler.
// Must not know any route.
#pragma once

#include <span>

#include "lib/http.h"

namespace db {
class Connection;
}

namespace route {

using Handle = http::Response (*)(const http::Request& request, db::Connection& database);

// What a program answers; `pattern` as lib/pattern.h describes it.
struct Route {
  unsigned methods;
  const char* pattern;
  Handle handle;
};

// Another program's route, as routes.tsv lists it.
struct Foreign {
  const char* program;
  const char* methods;  // "GET,HEAD"
  const char* pattern;
};

// The main() of a program: "--route" prints its routes, "--check" tests its settings, otherwise it
// serves them. `others` is for the program that answers what no route takes: it then tells 404
// from 405. Settings that are wrong end the program with status 78 (EX_CONFIG of sysexits.h).
int serve(const char* program, std::span<const Route> routes, int argc, char** argv,
          std::span<const Foreign> others = {});

}  // namespace route
