// Every request that no other program takes: 404, 405 with Allow, and OPTIONS.
// Contract: tasks-api, sections 1 and 9; better-auth-wire, section 1.1. It knows the routes of all
// other programs from the list that the build gathers.
#include "lib/http.h"
#include "lib/route.h"

namespace {

constexpr route::Foreign kOthers[] = {
#include "routes.inc"
};

}  // namespace

int main(int argc, char** argv) { return route::serve("fallback", {}, argc, argv, kOthers); }
