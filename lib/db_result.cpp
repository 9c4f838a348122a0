// What a statement gave: rows in binary format, or why it failed. See db.h.
#include <libpq-fe.h>

#include <algorithm>

#include "lib/db.h"

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

}  // namespace db
