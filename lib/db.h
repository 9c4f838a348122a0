// One PostgreSQL connection for the process, and statements on it. The only module over libpq.
// Must not know: HTTP, JSON, table names.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lib/timestamp.h"

struct pg_conn;
struct pg_result;

namespace db {

// A statement failed. what() is for the log and quotes no value: SQLSTATE, constraint, or libpq's
// own words about the link.
struct Error : std::runtime_error {
  enum class Kind {
    unavailable,  // nothing was done: no server, or the server gave the work up
    in_doubt,     // the link broke after the statement was sent; it may have been committed
    refused,      // the server refused the statement; nothing was done
  };
  Error(Kind the_kind, std::string the_sqlstate, std::string the_constraint,
        const std::string& what);

  Kind kind;
  std::string sqlstate;    // five characters, or "" if the server never answered
  std::string constraint;  // the constraint that a value broke, or ""
};

// A text-format parameter; nullopt is NULL. Must hold no NUL byte (libpq would cut the text there):
// such a parameter is refused as the server refuses it in binary form, with SQLSTATE 22021.
using Param = std::optional<std::string_view>;

// Rows. Columns are in binary format and are read as what they are: reading a column as another
// type is a std::logic_error. Row and column numbers begin at 0.
class Result {
 public:
  int rows() const;
  bool is_null(int row, int column) const;
  std::string_view text(int row, int column) const;  // text, varchar
  std::int64_t integer(int row, int column) const;   // int4, int8
  bool boolean(int row, int column) const;           // boolean
  timestamp::Time time(int row, int column) const;   // timestamptz
  std::optional<std::string> maybe_text(int row, int column) const;

 private:
  friend class Connection;
  struct Finish {
    void operator()(pg_result* result) const noexcept;
  };
  std::string_view field(int row, int column, std::initializer_list<unsigned> types) const;
  std::unique_ptr<pg_result, Finish> result_;
};

// DATABASE_URL as people have it, made into one that libpq takes: "postgresql+driver://" becomes
// "postgresql://", and parameters that libpq does not know are dropped, each with a line in
// `warnings`. Throws std::invalid_argument with one line that says what to do; it quotes nothing.
std::string normalized_url(std::string_view url, std::vector<std::string>& warnings);

class Connection {
 public:
  // Does not connect. `url` is a result of normalized_url(); `application` is shown by
  // pg_stat_activity.
  Connection(std::string url, std::string application);

  // Runs one statement as its own transaction and returns after its commit. Connects if needed,
  // and again if the idle link turns out dead before anything was sent; never repeats a statement
  // that was sent. A statement is prepared when it is used for the second time on a connection,
  // under a name made from its text, and goes on unprepared behind a pooler in transaction mode.
  // No other state is kept in the database session.
  // Throws Error. Returns within about kDeadline even if the server stays silent.
  Result run(std::string_view sql, std::span<const Param> params);
  Result run(std::string_view sql, std::initializer_list<Param> params) {
    return run(sql, std::span<const Param>(params.begin(), params.size()));
  }

  static constexpr std::chrono::milliseconds kDeadline{4500};

 private:
  using Clock = std::chrono::steady_clock;
  struct Finish {
    void operator()(pg_conn* connection) const noexcept;
  };
  struct Statement {
    std::string name;
    bool prepared = false;
  };

  void ensure_connected(Clock::time_point deadline);
  bool link_is_alive() const;
  void send(std::string_view sql, std::span<const Param> params, Clock::time_point deadline);
  void prepare(Statement& statement, std::string_view sql, Clock::time_point deadline);
  Result receive(Clock::time_point deadline);
  void wait(short events, Clock::time_point deadline);
  [[noreturn]] void fail(const pg_result* result, bool completed);

  std::string url_;
  std::string application_;
  std::unique_ptr<pg_conn, Finish> connection_;
  std::map<std::string, Statement, std::less<>> statements_;  // by SQL text, of this connection
  bool pooled_ = false;  // a prepared statement was not there again: do without
};

}  // namespace db
