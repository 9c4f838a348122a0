#include "lib/db.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "lib/crypto.h"
#include "lib/encoding.h"

extern char** environ;

namespace db {
namespace {

// pg_type.dat: these numbers are part of PostgreSQL's protocol and never change.
enum Oid : unsigned {
  kBool = 16,
  kInt8 = 20,
  kInt4 = 23,
  kText = 25,
  kVarchar = 1043,
  kTimestampTz = 1184,
};

// PostgreSQL counts from 2000-01-01.
constexpr timestamp::Time kPostgresEpoch =
    std::chrono::sys_days(std::chrono::year(2000) / std::chrono::January / 1);

template <typename Integer>
Integer from_network(std::string_view bytes) {
  Integer value = 0;
  for (const char byte : bytes)
    value = static_cast<Integer>((value << 8) | static_cast<unsigned char>(byte));
  return value;
}

std::string_view error_field(const pg_result* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// The server took the work back because of its own state, so nothing of it was done and it may be
// asked again: shutting down (57P0x), out of connections (53300), cancelled by a time limit or an
// operator (57014), read-only standby (25006), lock or serialisation conflict (40xxx, 55P03), any
// other lack of resources (53xxx).
bool is_passing(std::string_view sqlstate) {
  return sqlstate.starts_with("57") || sqlstate.starts_with("53") || sqlstate.starts_with("40") ||
         sqlstate.starts_with("08") || sqlstate == "25006" || sqlstate == "55P03";
}

// A prepared statement that is not there (26000), is there already (42P05), or belongs to an older
// shape of its table (0A000). The server did nothing; unprepared, it works.
bool asks_for_unprepared(std::string_view sqlstate) {
  return sqlstate == "26000" || sqlstate == "42P05" || sqlstate == "0A000";
}

// PG* variables change what libpq does behind the back of DATABASE_URL; only those that name files
// for TLS are wanted.
void forget_ambient_settings() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    if (pair.starts_with("PG") && !pair.starts_with("PGSSL"))
      names.emplace_back(pair.substr(0, pair.find('=')));
  }
  for (const std::string& name : names) unsetenv(name.c_str());
}

bool is_libpq_parameter(std::string_view name) {
  if (name == "ssl") return true;  // libpq reads ssl=true as sslmode=require (JDBC's spelling)
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconndefaults(),
                                                                               PQconninfoFree);
  for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option)
    if (name == option->keyword) return true;
  return false;
}

}  // namespace

Error::Error(Kind the_kind, std::string the_sqlstate, std::string the_constraint,
             const std::string& what)
    : std::runtime_error(what),
      kind(the_kind),
      sqlstate(std::move(the_sqlstate)),
      constraint(std::move(the_constraint)) {}

void Result::Finish::operator()(pg_result* result) const noexcept { PQclear(result); }

int Result::rows() const { return PQntuples(result_.get()); }

bool Result::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Result::field(int row, int column, std::initializer_list<unsigned> types) const {
  const unsigned type = PQftype(result_.get(), column);
  if (std::find(types.begin(), types.end(), type) == types.end() || row >= rows() ||
      is_null(row, column))
    throw std::logic_error("column " + std::to_string(column) + " was read as another type");
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::string_view Result::text(int row, int column) const {
  return field(row, column, {kText, kVarchar});
}

std::int64_t Result::integer(int row, int column) const {
  const std::string_view bytes = field(row, column, {kInt4, kInt8});
  return bytes.size() == 4 ? from_network<std::int32_t>(bytes) : from_network<std::int64_t>(bytes);
}

bool Result::boolean(int row, int column) const { return field(row, column, {kBool})[0] != 0; }

timestamp::Time Result::time(int row, int column) const {
  const std::string_view bytes = field(row, column, {kTimestampTz});
  return kPostgresEpoch + std::chrono::microseconds(from_network<std::int64_t>(bytes));
}

std::optional<std::string> Result::maybe_text(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return std::string(text(row, column));
}

std::string normalized_url(std::string_view url, std::vector<std::string>& warnings) {
  constexpr const char* kForm =
      "DATABASE_URL must be a URL such as postgresql://user:password@host:5432/database";
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) throw std::invalid_argument(kForm);
  const std::string_view scheme = url.substr(0, std::min(url.find('+'), scheme_end));
  if (scheme != "postgres" && scheme != "postgresql") throw std::invalid_argument(kForm);

  const std::size_t question = std::min(url.find('?', scheme_end), url.size());
  std::string clean = "postgresql" + std::string(url.substr(scheme_end, question - scheme_end));
  char separator = '?';
  for (std::size_t begin = question + 1; begin < url.size();) {
    const std::size_t end = std::min(url.find('&', begin), url.size());
    const std::string_view pair = url.substr(begin, end - begin);
    const std::string_view name = pair.substr(0, pair.find('='));
    if (is_libpq_parameter(name)) {
      clean += separator;
      clean += pair;
      separator = '&';
    } else if (!name.empty()) {
      warnings.push_back("DATABASE_URL: the parameter \"" + std::string(name) +
                         "\" is not one of PostgreSQL's and is left out");
    }
    begin = end + 1;
  }

  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(
      PQconninfoParse(clean.c_str(), &message), PQconninfoFree);
  const std::unique_ptr<char, void (*)(void*)> discarded(message, PQfreemem);  // it quotes the URL
  if (!parsed) throw std::invalid_argument(kForm);
  return clean;
}

void Connection::Finish::operator()(pg_conn* connection) const noexcept { PQfinish(connection); }

Connection::Connection(std::string url, std::string application)
    : url_(std::move(url)), application_(std::move(application)) {
  forget_ambient_settings();
}

// An idle link on which there is something to read has been closed by the server (or is about to
// be): there is nothing else that it would say without being asked.
bool Connection::link_is_alive() const {
  if (!connection_ || PQstatus(connection_.get()) != CONNECTION_OK) return false;
  pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
  return poll(&socket, 1, 0) == 0;
}

void Connection::ensure_connected(Clock::time_point deadline) {
  if (link_is_alive()) return;
  connection_.reset();
  statements_.clear();
  // What DATABASE_URL says comes later in the list and wins. connect_timeout counts for each host.
  const std::array<const char*, 8> names{
      "application_name",     "connect_timeout", "keepalives_idle", "tcp_user_timeout",
      "target_session_attrs", "dbname",          "client_encoding", nullptr};
  const std::array<const char*, 8> values{application_.c_str(), "2",    "30",   "5000", "any",
                                          url_.c_str(),         "UTF8", nullptr};
  connection_.reset(PQconnectdbParams(names.data(), values.data(), 1));
  if (!connection_ || PQstatus(connection_.get()) != CONNECTION_OK) {
    // libpq's message names hosts, roles and databases, never the password.
    std::string why = connection_ ? PQerrorMessage(connection_.get()) : "out of memory";
    std::replace(why.begin(), why.end(), '\n', ' ');
    connection_.reset();
    throw Error(Error::Kind::unavailable, "", "", "cannot connect: " + why);
  }
  PQsetnonblocking(connection_.get(), 1);
  if (Clock::now() > deadline)
    throw Error(Error::Kind::unavailable, "", "", "connecting took too long");
}

// Waits until the socket is ready for one of `events`.
void Connection::wait(short events, Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd socket{PQsocket(connection_.get()), events, 0};
  if (left > 0 && poll(&socket, 1, static_cast<int>(left)) > 0) return;
  connection_.reset();  // the answer, should it still come, belongs to nobody
  throw Error(Error::Kind::in_doubt, "", "", "the database did not answer in time");
}

// Throws what `result` (or, if it is null, the state of the link) says. `completed`: the server
// had already reported the statement as done, so only its commit was open.
void Connection::fail(const pg_result* result, bool completed) {
  const std::string sqlstate(error_field(result, PG_DIAG_SQLSTATE));
  const std::string constraint(error_field(result, PG_DIAG_CONSTRAINT_NAME));
  const bool lost = PQstatus(connection_.get()) != CONNECTION_OK;
  if (lost) connection_.reset();
  if (sqlstate.empty() || (lost && completed))
    throw Error(Error::Kind::in_doubt, sqlstate, "", "the link broke in mid-statement " + sqlstate);
  if (is_passing(sqlstate)) {
    connection_.reset();  // after a fail-over or shutdown another server may be the right one
    throw Error(Error::Kind::unavailable, sqlstate, "", "the database gave up: " + sqlstate);
  }
  throw Error(Error::Kind::refused, sqlstate, constraint,
              "the database refused the statement: " + sqlstate + " " + constraint);
}

// Collects everything up to the end of the command. The last result counts: the commit of a
// statement comes after its rows, and can fail.
Result Connection::receive(Clock::time_point deadline) {
  Result last;
  bool completed = false;
  for (;;) {
    int flushed = PQflush(connection_.get());
    while (flushed == 1) {
      wait(POLLIN | POLLOUT, deadline);
      if (PQconsumeInput(connection_.get()) == 0) fail(nullptr, completed);
      flushed = PQflush(connection_.get());
    }
    while (PQisBusy(connection_.get()) != 0) {
      wait(POLLIN, deadline);
      if (PQconsumeInput(connection_.get()) == 0 && PQisBusy(connection_.get()) != 0)
        fail(nullptr, completed);
    }
    std::unique_ptr<pg_result, Result::Finish> result(PQgetResult(connection_.get()));
    if (!result) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      // The rest of the command is read, so that the connection can be used again.
      while (PQstatus(connection_.get()) == CONNECTION_OK) {
        while (PQisBusy(connection_.get()) != 0) {
          wait(POLLIN, deadline);
          if (PQconsumeInput(connection_.get()) == 0) break;
        }
        const std::unique_ptr<pg_result, Result::Finish> rest(PQgetResult(connection_.get()));
        if (!rest) break;
      }
      fail(result.get(), completed);
    }
    completed = true;
    last.result_ = std::move(result);
  }
  if (!last.result_) fail(nullptr, completed);
  return last;
}

void Connection::prepare(Statement& statement, std::string_view sql, Clock::time_point deadline) {
  if (PQsendPrepare(connection_.get(), statement.name.c_str(), std::string(sql).c_str(), 0,
                    nullptr) == 0)
    fail(nullptr, false);
  receive(deadline);
  statement.prepared = true;
}

void Connection::send(std::string_view sql, std::span<const Param> params,
                      Clock::time_point deadline) {
  std::vector<std::string> copies;  // libpq wants each text to end with NUL
  copies.reserve(params.size());
  std::vector<const char*> values;
  for (const Param& param : params) {
    if (param && param->find('\0') != std::string_view::npos)
      throw Error(Error::Kind::refused, "22021", "", "a parameter holds a NUL byte");
    if (param) copies.emplace_back(*param);
    values.push_back(param ? copies.back().c_str() : nullptr);
  }
  const int count = static_cast<int>(params.size());

  // A statement's name is made from its text: should a pooler lead us to a session in which
  // another program prepared something, one name still means one statement.
  auto [known, is_new] = statements_.try_emplace(std::string(sql));
  Statement& statement = known->second;
  if (is_new) statement.name = "t_" + encoding::hex(crypto::sha256(sql)).substr(0, 24);
  if (!pooled_ && !is_new && !statement.prepared) prepare(statement, sql, deadline);

  const int sent = !pooled_ && statement.prepared
                       ? PQsendQueryPrepared(connection_.get(), statement.name.c_str(), count,
                                             values.data(), nullptr, nullptr, 1)
                       : PQsendQueryParams(connection_.get(), std::string(sql).c_str(), count,
                                           nullptr, values.data(), nullptr, nullptr, 1);
  if (sent == 0) fail(nullptr, false);
}

Result Connection::run(std::string_view sql, std::span<const Param> params) {
  const Clock::time_point deadline = Clock::now() + kDeadline;
  ensure_connected(deadline);
  try {
    send(sql, params, deadline);
    return receive(deadline);
  } catch (const Error& error) {
    if (pooled_ || !connection_ || !asks_for_unprepared(error.sqlstate)) throw;
  }
  pooled_ = true;
  send(sql, params, deadline);
  return receive(deadline);
}

}  // namespace db
