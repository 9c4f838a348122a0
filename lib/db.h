// The process's way to PostgreSQL: statements of all requests that wait at one moment go out
// together and come back as they are done, over a few connections. The only module over libpq.
// Must not know: HTTP, JSON, table names.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lib/timestamp.h"

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
  friend class Link;
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

struct Options {
  // Work as the role todo_PROGRAM (sql/grants.sql); else as who logged in.
  bool roles = false;
  // Connections to the server at most. The first is made with the first statement. Reads share one
  // and are sent without waiting for each other's answers; writes have others, because the commits
  // of one connection wait for each other. Further ones are closed when they idle.
  std::size_t max_links = 8;
  // pg_stat_activity and the server's log show "todo PROGRAM LABEL" while a statement of a labelled
  // fiber runs (63 bytes of it).
  bool labels = false;
};

class Connection {
 public:
  // Does not connect. `url` is a result of normalized_url(); pg_stat_activity shows "todo PROGRAM".
  Connection(std::string url, const std::string& program, const Options& options = {});
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Runs one statement and returns after its commit; other fibers run meanwhile. Connects if
  // needed, and again if the idle link turns out dead before anything was sent; never repeats a
  // write that was sent, but where the server says that it took it back: once if that was because
  // of another transaction (SQLSTATE 40001, 40P01), and see run_as(). What fails, stalls or is
  // given up here touches no other statement: each has its own Sync, and reads that wait behind one
  // that takes long are asked again elsewhere. A statement is prepared when it is used for the
  // second time on a link, under a name made from its text. Behind a pooler nothing is prepared,
  // and transactions go out one by one: the session belongs to others as soon as one ends. Throws
  // Error. Returns within about kDeadline even if the server stays silent.
  Result run(std::string_view sql, std::initializer_list<Param> params) {
    return run_as("", sql, params);
  }

  // Ditto, with the setting "todo.sub" (which row-level security asks for) at `subject`, for this
  // statement only.
  // Writes that wait at one moment are committed together: one write to the disk for all of them,
  // which is most of what a commit costs. If one of them fails, or has to wait for a lock, the
  // server takes all of them back, and each is sent again as a transaction of its own. So a
  // statement must not depend on being the first of its transaction: now() is the same for all.
  Result run_as(std::string_view subject, std::string_view sql,
                std::initializer_list<Param> params);

  static constexpr std::chrono::milliseconds kDeadline{4500};

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace db
