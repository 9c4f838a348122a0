// lib/records: a request means the same in whatever pieces it arrives, and a response
// is read back as what was written. Input: a byte for the size of the pieces, then the bytes.
#include "lib/records.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::size_t kMaxBody = 1000;

using Taken = std::vector<std::string>;  // requests, each as one text

void take(records::Reader& reader, Taken& taken) {
  while (reader.state() == records::Reader::State::complete) {
    std::string text = std::to_string(reader.id()) + (reader.keeps_connection() ? "+" : "-") +
                       std::to_string(static_cast<int>(reader.body_state()));
    std::size_t count = 0;
    std::size_t bytes = 0;
    for (const char* const* each = reader.parameters(); *each != nullptr; ++each, ++count) {
      const std::string_view pair(*each);
      REQUIRE(pair.find('=') != std::string_view::npos);
      bytes += pair.size();
      text.append("|").append(pair);
    }
    REQUIRE(count <= records::kMaxParameters && bytes <= records::kMaxParameterBytes + count);
    const std::string body = reader.take_body();
    REQUIRE(body.size() <= kMaxBody);
    taken.push_back(text + "#" + body);
    reader.next();
  }
}

Taken read(std::string_view bytes, std::size_t piece) {
  records::Reader reader(kMaxBody);
  Taken taken;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    reader.feed(bytes.substr(0, piece));
    take(reader, taken);
    if (reader.state() == records::Reader::State::broken) break;
  }
  return taken;
}

// The STDOUT stream of request `id`, taken from records; FastCGI 1.0, section 3.3.
std::string stdout_of(std::string_view bytes, unsigned id) {
  std::string content;
  bool ended = false;
  while (!bytes.empty()) {
    REQUIRE(!ended && bytes.size() >= 8 && bytes[0] == 1);
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    const std::size_t length = byte(4) * 256U + byte(5);
    REQUIRE(byte(2) * 256U + byte(3) == id && bytes.size() >= 8 + length + byte(6));
    if (byte(1) == 6) content += bytes.substr(8, length);
    ended = byte(1) == 3;
    bytes.remove_prefix(8 + length + byte(6));
  }
  REQUIRE(ended);
  return content;
}

}  // namespace

void fuzz(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = static_cast<unsigned char>(input.front()) % 32U + 1U;
  input.remove_prefix(1);
  const Taken slow = read(input, piece);
  const Taken fast = read(input, input.size() + 1);
  // Whoever sends more before the answer may be refused the rest, but never understood otherwise.
  REQUIRE(fast.empty() || (!slow.empty() && slow.front() == fast.front()));
  const auto id = static_cast<std::uint16_t>(fuzzing::hash(input));
  REQUIRE(stdout_of(records::response(id, input), id) == input);
}
