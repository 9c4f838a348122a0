#include "lib/pattern.h"

#include <gtest/gtest.h>

#include <stdexcept>

using pattern::Captures;
using pattern::Pattern;
using Segments = std::vector<std::string>;

namespace {
constexpr auto kTasks = "/api(/v1|/users/{user_id}|/{user_id})?/tasks";
}

TEST(Pattern, everyFormOfACollectionFits) {
  const Pattern tasks(kTasks, "/api/auth");
  EXPECT_EQ(tasks.match(Segments{"api", "tasks"}), Captures());
  EXPECT_EQ(tasks.match(Segments{"api", "v1", "tasks"}), Captures());
  EXPECT_EQ(tasks.match(Segments{"api", "u/1", "tasks"}), (Captures{{"user_id", "u/1"}}));
  EXPECT_EQ(tasks.match(Segments{"api", "users", "u1", "tasks"}), (Captures{{"user_id", "u1"}}));
}

TEST(Pattern, nothingElseFits) {
  const Pattern tasks(kTasks, "/api/auth");
  for (const Segments& path :
       {Segments{}, Segments{"api"}, Segments{"API", "tasks"}, Segments{"api", "tasks", ""},
        Segments{"", "api", "tasks"}, Segments{"api", "", "tasks"}, Segments{"api", ".", "tasks"},
        Segments{"api", "..", "tasks"}, Segments{"api", "a", "b", "tasks"},
        Segments{"api", "tasks", "1"}})
    EXPECT_FALSE(tasks.match(path));
}

TEST(Pattern, alternativesAndTheBasePath) {
  const Pattern complete("{auth}/x/{id}/(complete|toggle)", "/my/base");
  EXPECT_TRUE(complete.match(Segments{"my", "base", "x", "7", "complete"}));
  EXPECT_EQ(complete.match(Segments{"my", "base", "x", "7", "toggle"}), (Captures{{"id", "7"}}));
  EXPECT_FALSE(complete.match(Segments{"my", "base", "x", "7", "completetoggle"}));
  EXPECT_THROW(Pattern("/a(b", "/auth"), std::logic_error);
}
