// lib/db on a real server (DATABASE_URL): many statements at once, each alone with its fate.
#include "lib/db.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "lib/loop.h"

namespace {

class Database : public testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("DATABASE_URL");
    if (url == nullptr) GTEST_SKIP() << "DATABASE_URL is not set";
    std::vector<std::string> warnings;
    url_ = db::normalized_url(url, warnings);
  }

  // Runs each action in a fiber of its own, all at once; returns when all have ended.
  static void all(std::vector<std::function<void()>> actions) {
    std::size_t left = actions.size();
    for (auto& action : actions)
      fiber::start([&left, action = std::move(action)] {
        action();
        --left;
      });
    loop::wait_until([&] { return left == 0; });
  }

  std::string url_;
};

std::string sqlstate_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const db::Error& error) {
    return error.sqlstate.empty() ? "none" : error.sqlstate;
  }
  return "";
}

}  // namespace

// One of each class of SQLSTATE (PostgreSQL, appendix A), raised in the midst of a batch.
TEST_F(Database, anErrorOfAnyClassTouchesNoneOfTheStatementsSentWithIt) {
  db::Connection database(url_, "test");
  const std::vector<std::string> states = {
      "01000", "02000", "03000", "08006", "09000", "0A000", "0B000", "0F000", "0L000",
      "0P000", "0Z000", "20000", "21000", "22012", "23505", "24000", "25006", "26000",
      "27000", "28000", "2B000", "2D000", "2F000", "34000", "38000", "39000", "3B000",
      "3D000", "3F000", "40001", "40P01", "42501", "44000", "53300", "54000", "55P03",
      "57014", "58030", "72000", "F0000", "HV000", "P0001", "XX000"};
  for (int round = 0; round < 3; ++round) {  // unprepared, being prepared, prepared
    int answered = 0;
    std::vector<std::string> seen(states.size());
    std::vector<std::function<void()>> actions;
    for (std::size_t i = 0; i < states.size(); ++i) {
      actions.emplace_back([&, i] {
        const auto result = database.run("SELECT $1::bigint + 1", {std::to_string(i)});
        answered += result.integer(0, 0) == static_cast<std::int64_t>(i) + 1 ? 1 : 0;
      });
      actions.emplace_back([&, i] {
        seen[i] = sqlstate_of([&] { database.run("SELECT test_raise($1)", {states[i]}); });
      });
    }
    db::Connection setup(url_, "test");
    setup.run(
        "CREATE OR REPLACE FUNCTION test_raise(state text) RETURNS integer LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION USING ERRCODE = state, MESSAGE = 'test'; END $$",
        {});
    all(std::move(actions));
    EXPECT_EQ(answered, static_cast<int>(states.size())) << round;
    EXPECT_EQ(seen, states) << round;
  }
  db::Connection(url_, "test").run("DROP FUNCTION test_raise(text)", {});
}

TEST_F(Database, readsBehindASlowOneAreAnsweredBeforeIt) {
  db::Connection database(url_, "test");
  database.run("SELECT 1::bigint", {});  // connected
  std::vector<int> order;
  std::vector<std::function<void()>> actions;
  actions.emplace_back([&] {
    database.run("SELECT pg_sleep(1)::text", {});
    order.push_back(0);
  });
  for (int i = 1; i <= 10; ++i)
    actions.emplace_back([&, i] {
      database.run("SELECT $1::bigint", {std::to_string(i)});
      order.push_back(i);
    });
  all(std::move(actions));
  ASSERT_EQ(order.size(), 11U);
  EXPECT_EQ(order.back(), 0);
}

TEST_F(Database, aStatementThatOutlivesItsDeadlineIsGivenUpAlone) {
  db::Connection database(url_, "test");
  database.run("SELECT 1::bigint", {});
  std::string slow;
  int answered = 0;
  std::vector<std::function<void()>> actions;
  actions.emplace_back(
      [&] { slow = sqlstate_of([&] { database.run("SELECT pg_sleep(20)::text", {}); }); });
  for (int i = 0; i < 5; ++i)
    actions.emplace_back([&] {
      database.run("SELECT 2::bigint", {});
      ++answered;
    });
  all(std::move(actions));
  EXPECT_EQ(slow, "none");
  EXPECT_EQ(answered, 5);
  EXPECT_EQ(database.run("SELECT 3::bigint", {}).integer(0, 0), 3);
}

TEST_F(Database, aLinkThatIsKilledTakesOnlyWhatWasOnIt) {
  db::Connection database(url_, "test");
  db::Connection other(url_, "test");
  const auto process = database.run("SELECT pg_backend_pid()::bigint", {}).integer(0, 0);
  std::string asleep;
  int answered = 0;
  all({[&] { asleep = sqlstate_of([&] { database.run("SELECT pg_sleep(3)::text", {}); }); },
       [&] { other.run("SELECT pg_terminate_backend($1::integer)", {std::to_string(process)}); },
       [&] {
         other.run("SELECT pg_sleep(0.3)::text", {});
         database.run("SELECT 4::bigint", {});
         ++answered;
       }});
  EXPECT_EQ(asleep, "57P01");
  EXPECT_EQ(answered, 1);
}

TEST_F(Database, theServerIsToNoticeThatWeHaveLeft) {
  db::Connection database(url_, "test");
  constexpr std::string_view kAsk = "SELECT current_setting('client_connection_check_interval')";
  EXPECT_EQ(database.run(kAsk, {}).text(0, 0), "1s");
}

TEST_F(Database, theSubjectHoldsForOneStatementOnly) {
  db::Connection database(url_, "test");
  constexpr std::string_view kAsk = "SELECT COALESCE(current_setting('todo.sub', true), '')";
  std::vector<std::string> seen(40);
  std::vector<std::function<void()>> actions;
  for (std::size_t i = 0; i < seen.size(); ++i)
    actions.emplace_back([&, i] {
      const std::string subject = i % 2 == 0 ? "" : "user" + std::to_string(i);
      seen[i] = database.run_as(subject, kAsk, {}).text(0, 0);
    });
  all(std::move(actions));
  for (std::size_t i = 0; i < seen.size(); ++i)
    EXPECT_EQ(seen[i], i % 2 == 0 ? "" : "user" + std::to_string(i));
}

TEST_F(Database, writesThatWaitForALockKeepNobodyElse) {
  db::Connection database(url_, "test");
  database.run("CREATE TABLE IF NOT EXISTS db_test (id integer PRIMARY KEY, n integer)", {});
  database.run("INSERT INTO db_test VALUES (1, 0) ON CONFLICT DO NOTHING", {});
  std::vector<std::function<void()>> actions;
  for (int i = 0; i < 30; ++i)
    actions.emplace_back([&] { database.run("UPDATE db_test SET n = n + 1 WHERE id = 1", {}); });
  all(std::move(actions));
  EXPECT_EQ(database.run("SELECT n FROM db_test WHERE id = 1", {}).integer(0, 0), 30);
  database.run("DROP TABLE db_test", {});
}

// Writes of users, which share transactions. Each adds its number to a table that refuses none
// twice, so that one that is done twice is seen.
class Batch : public Database {
 protected:
  void SetUp() override {
    Database::SetUp();
    if (url_.empty()) return;
    database_.emplace(url_, "test");
    other_.emplace(url_, "test");
    other_->run("DROP TABLE IF EXISTS db_batch", {});
    other_->run("CREATE TABLE db_batch (n bigint, transaction bigint)", {});
    other_->run(
        "CREATE OR REPLACE FUNCTION test_fail(state text) RETURNS bigint LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION USING ERRCODE = state, MESSAGE = 'test'; END $$",
        {});
    for (int i = 0; i < 3; ++i) database_->run_as("u", kAdd, {"-1"});  // connected, prepared
    other_->run("DELETE FROM db_batch", {});
  }
  void TearDown() override {
    if (other_) other_->run("DROP TABLE db_batch", {});
    if (other_) other_->run("DROP FUNCTION test_fail(text)", {});
  }

  std::function<void()> add(int number) {
    return [this, number] {
      if (database_->run_as("user" + std::to_string(number), kAdd, {std::to_string(number)})
              .rows() == 1)
        ++added_;
    };
  }
  std::int64_t count(std::string_view what) {
    return other_->run("SELECT count(" + std::string(what) + ") FROM db_batch WHERE n >= 0", {})
        .integer(0, 0);
  }

  static constexpr std::string_view kAdd =
      "INSERT INTO db_batch SELECT $1::bigint, pg_current_xact_id()::text::bigint RETURNING n";
  std::optional<db::Connection> database_;
  std::optional<db::Connection> other_;
  int added_ = 0;
};

TEST_F(Batch, writesOfOneMomentShareTransactions) {
  std::vector<std::function<void()>> actions;
  for (int i = 0; i < 50; ++i) actions.push_back(add(i));
  all(std::move(actions));
  EXPECT_EQ(added_, 50);
  EXPECT_EQ(count("DISTINCT n"), 50);
  EXPECT_EQ(count("*"), 50);
  EXPECT_LT(count("DISTINCT transaction"), 10);
}

TEST_F(Batch, oneThatFailsTakesNoneAlongAndNoneIsDoneTwice) {
  const std::vector<std::string> states = {"01000", "0A000", "22012", "23505", "25006", "26000",
                                           "28000", "40001", "40P01", "42501", "53300", "55P03",
                                           "57014", "58030", "P0001", "XX000"};
  std::vector<std::string> seen(states.size());
  std::vector<std::function<void()>> actions;
  for (std::size_t i = 0; i < states.size(); ++i) {
    actions.push_back(add(static_cast<int>(i)));
    actions.emplace_back([&, i] {
      seen[i] = sqlstate_of([&] {
        database_->run_as("v", "INSERT INTO db_batch SELECT test_fail($1), 0", {states[i]});
      });
    });
  }
  all(std::move(actions));
  EXPECT_EQ(seen, states);
  EXPECT_EQ(added_, static_cast<int>(states.size()));
  EXPECT_EQ(count("*"), added_);
  EXPECT_EQ(count("DISTINCT n"), added_);
}

TEST_F(Batch, oneThatWaitsForALockKeepsNobodyElse) {
  other_->run("INSERT INTO db_batch VALUES (-5, 0)", {});
  std::vector<int> order;
  db::Connection holder(url_, "test");
  bool is_held = true;
  fiber::start([&] {
    holder.run(
        "WITH held AS (UPDATE db_batch SET transaction = 1 WHERE n = -5 RETURNING 1)"
        " SELECT pg_sleep(1)::text FROM held",
        {});
    is_held = false;
  });
  other_->run("SELECT pg_sleep(0.2)::text", {});  // until the lock is held
  std::vector<std::function<void()>> actions;
  for (int i = 0; i < 10; ++i)
    actions.emplace_back([&, i] {
      if (i == 5)
        database_->run_as("w", "UPDATE db_batch SET transaction = 2 WHERE n = -5", {});
      else
        add(i)();
      order.push_back(i);
    });
  all(std::move(actions));
  loop::wait_until([&] { return !is_held; });
  ASSERT_EQ(order.size(), 10U);
  EXPECT_EQ(order.back(), 5);
  EXPECT_EQ(count("*"), 9);
}

TEST_F(Batch, oneThatTakesLongKeepsNobodyElse) {
  std::vector<int> order;
  std::vector<std::function<void()>> actions;
  for (int i = 0; i < 10; ++i)
    actions.emplace_back([&, i] {
      if (i == 5)
        database_->run_as("w", "INSERT INTO db_batch SELECT -5, length(pg_sleep(1)::text)", {});
      else
        add(i)();
      order.push_back(i);
    });
  all(std::move(actions));
  ASSERT_EQ(order.size(), 10U);
  EXPECT_EQ(order.back(), 5);
  EXPECT_EQ(count("*"), 9);
}

TEST_F(Batch, aServerProcessThatIsKilledBeforeTheCommitUndoesAllAndAllAreDoneOnce) {
  std::vector<std::function<void()>> actions;
  for (int i = 0; i < 10; ++i) actions.push_back(add(i));
  actions.emplace_back([&] {
    database_->run_as("w", "INSERT INTO db_batch SELECT -5, length(pg_sleep(0.4)::text)", {});
  });
  actions.emplace_back([&] {
    other_->run(
        "SELECT pg_sleep(0.1)::text, (SELECT count(pg_terminate_backend(pid)) FROM "
        "pg_stat_activity WHERE query LIKE '%-5%' AND pid <> pg_backend_pid())",
        {});
  });
  all(std::move(actions));
  EXPECT_EQ(added_, 10);
  EXPECT_EQ(count("*"), 10);
}

TEST_F(Batch, nobodySeesTheSubjectOfAnother) {
  std::vector<std::string> seen(40);
  std::vector<std::function<void()>> actions;
  for (std::size_t i = 0; i < seen.size(); ++i)
    actions.emplace_back([&, i] {
      seen[i] = database_
                    ->run_as("user" + std::to_string(i),
                             "INSERT INTO db_batch SELECT 0, 0"
                             " RETURNING current_setting('todo.sub', true)",
                             {})
                    .text(0, 0);
    });
  all(std::move(actions));
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], "user" + std::to_string(i));
}

TEST_F(Database, anAddressThatRefusesIsUnavailableForAllWhoWait) {
  db::Connection database("postgresql://127.0.0.1:1/none", "test");
  int unavailable = 0;
  std::vector<std::function<void()>> actions;
  for (int i = 0; i < 5; ++i)
    actions.emplace_back([&] {
      try {
        database.run("SELECT 1::bigint", {});
      } catch (const db::Error& error) {
        unavailable += error.kind == db::Error::Kind::unavailable ? 1 : 0;
      }
    });
  all(std::move(actions));
  EXPECT_EQ(unavailable, 5);
}
