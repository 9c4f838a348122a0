// lib/records: FastCGI as bytes (FastCGI Specification 1.0), from well-meaning and other peers.
#include "lib/records.h"

#include <gtest/gtest.h>

#include <random>

namespace {

using records::Body;
using records::Reader;
using State = Reader::State;

constexpr std::size_t kLimit = 1000;

std::string record(int type, std::string_view content, int id = 1, int padding = 0,
                   int version = 1) {
  std::string bytes{static_cast<char>(version),
                    static_cast<char>(type),
                    static_cast<char>(id >> 8),
                    static_cast<char>(id & 0xff),
                    static_cast<char>(content.size() >> 8),
                    static_cast<char>(content.size() & 0xff),
                    static_cast<char>(padding),
                    0};
  return bytes.append(content).append(static_cast<std::size_t>(padding), 'p');
}

std::string begin(int flags = 1, int role = 1, int id = 1) {
  return record(
      1, {std::string{0, static_cast<char>(role), static_cast<char>(flags), 0, 0, 0, 0, 0}}, id);
}

std::string length(std::size_t size) {
  if (size < 128) return {static_cast<char>(size)};
  return {static_cast<char>(0x80 | (size >> 24)), static_cast<char>(size >> 16),
          static_cast<char>(size >> 8), static_cast<char>(size)};
}

std::string pair(std::string_view name, std::string_view value) {
  return length(name.size()) + length(value.size()) + std::string(name) + std::string(value);
}

std::string request(std::string_view parameters, std::string_view body, int flags = 1) {
  std::string bytes = begin(flags);
  if (!parameters.empty()) bytes += record(4, parameters);
  bytes += record(4, "");
  if (!body.empty()) bytes += record(5, body);
  return bytes + record(5, "");
}

std::string first_parameter(const Reader& reader) {
  const char* entry = reader.parameters()[0];
  return entry == nullptr ? "" : entry;
}

}  // namespace

TEST(Records, aRequestArrivesInPiecesOfAnySize) {
  const std::string long_value(300, 'v');
  const std::string bytes =
      request(pair("REQUEST_METHOD", "POST") + pair("LONG", long_value), "hello");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Reader reader(kLimit);
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      reader.feed(std::string_view(bytes).substr(at, piece));
    ASSERT_EQ(reader.state(), State::complete) << piece;
    EXPECT_EQ(first_parameter(reader), "REQUEST_METHOD=POST");
    EXPECT_EQ(reader.parameters()[1], "LONG=" + long_value);
    EXPECT_EQ(reader.parameters()[2], nullptr);
    EXPECT_EQ(reader.take_body(), "hello");
    EXPECT_EQ(reader.body_state(), Body::whole);
    EXPECT_TRUE(reader.keeps_connection());
  }
}

TEST(Records, theNextRequestOfAKeptConnectionWaitsForItsTurn) {
  Reader reader(kLimit);
  reader.feed(request(pair("A", "1"), "x") + request(pair("A", "2"), "y", 0));
  ASSERT_EQ(reader.state(), State::complete);
  EXPECT_EQ(first_parameter(reader), "A=1");
  EXPECT_EQ(reader.next(), State::complete);
  EXPECT_EQ(first_parameter(reader), "A=2");
  EXPECT_EQ(reader.take_body(), "y");
  EXPECT_FALSE(reader.keeps_connection());
  EXPECT_EQ(reader.next(), State::idle);
  EXPECT_EQ(reader.take_replies(), "");
}

// Row 10 of the test plan.
TEST(Records, theBodyIsComparedWithItsAnnouncedLength) {
  const auto state_of = [](std::string_view announced, std::size_t size) {
    Reader reader(kLimit);
    reader.feed(request(pair("CONTENT_LENGTH", announced), std::string(size, 'b')));
    EXPECT_EQ(reader.state(), State::complete);
    return reader.body_state();
  };
  EXPECT_EQ(state_of("5", 5), Body::whole);
  EXPECT_EQ(state_of("5", 4), Body::cut);
  EXPECT_EQ(state_of("5", 6), Body::cut);
  EXPECT_EQ(state_of("", 7), Body::whole);
  EXPECT_EQ(state_of("-1", 7), Body::whole);
  EXPECT_EQ(state_of("1000", 1000), Body::whole);
  EXPECT_EQ(state_of("1001", 1001), Body::too_large);
  EXPECT_EQ(state_of("1000000000000000000000000000000", 3), Body::too_large);
  EXPECT_EQ(state_of("", 1001), Body::too_large);
  for (const char* wrong : {"-5", "1e3", "0x10", " 5", "5 ", "+5"})
    EXPECT_EQ(state_of(wrong, 5), Body::bad_length) << wrong;
}

TEST(Records, ABodyWithoutEndIsGivenUpAndTheConnectionWithIt) {
  Reader reader(kLimit);
  reader.feed(begin() + record(4, pair("A", "1")) + record(4, ""));
  const std::string piece = record(5, std::string(60000, 'b'));
  int pieces = 0;
  while (reader.state() == State::reading && pieces < 100) {
    reader.feed(piece);
    ++pieces;
  }
  EXPECT_EQ(reader.state(), State::complete);
  EXPECT_LT(pieces, 25);
  EXPECT_EQ(reader.body_state(), Body::too_large);
  EXPECT_FALSE(reader.keeps_connection());
}

// Row 12: what overflows a buffer in libfcgi.
TEST(Records, getValuesIsAnsweredOnceForEachNameHoweverOftenItIsAsked) {
  for (const int count : {1, 3, 4, 400}) {
    std::string names;
    for (int i = 0; i < count; ++i) names += pair("FCGI_MPXS_CONNS", "") + pair("X", "");
    Reader reader(kLimit);
    reader.feed(record(9, names, 0));
    std::string answer = record(10, pair("FCGI_MPXS_CONNS", "0"), 0) + std::string(6, '\0');
    answer[6] = 6;  // padded to a multiple of eight
    EXPECT_EQ(reader.take_replies(), answer) << count;
    EXPECT_EQ(reader.feed(request(pair("A", "1"), "")), State::complete);
  }
}

TEST(Records, unknownManagementRecordsAreNamed) {
  Reader reader(kLimit);
  reader.feed(record(77, "", 0));
  EXPECT_EQ(reader.take_replies(), record(11, std::string{77, 0, 0, 0, 0, 0, 0, 0}, 0));
  EXPECT_EQ(reader.state(), State::idle);
}

// Row 13.
TEST(Records, otherRolesAndASecondRequestAtOnceAreRefused) {
  for (const int role : {2, 3, 9}) {
    Reader reader(kLimit);
    reader.feed(begin(1, role));
    EXPECT_EQ(reader.take_replies(), record(3, std::string{0, 0, 0, 0, 3, 0, 0, 0}));
    EXPECT_EQ(reader.feed(request(pair("A", "1"), "")), State::complete);
  }
  Reader reader(kLimit);
  reader.feed(begin() + begin(1, 1, 2));
  EXPECT_EQ(reader.take_replies(), record(3, std::string{0, 0, 0, 0, 1, 0, 0, 0}, 2));
  EXPECT_EQ(reader.feed(record(4, pair("A", "1")) + record(4, "") + record(5, "")),
            State::complete);
}

// Row 9.
TEST(Records, anAbortedRequestIsForgottenAndTheConnectionUsable) {
  Reader reader(kLimit);
  reader.feed(begin() + record(4, pair("A", "1")) + record(4, "") + record(5, "half") +
              record(2, ""));
  EXPECT_EQ(reader.state(), State::idle);
  EXPECT_EQ(reader.take_replies(), record(3, std::string(8, '\0')));
  EXPECT_EQ(reader.feed(request(pair("A", "2"), "")), State::complete);
  EXPECT_EQ(first_parameter(reader), "A=2");
}

// Rows 11 and 14.
TEST(Records, whatIsNotFastCgiBreaksTheConnection) {
  const auto state_of = [](const std::string& bytes) {
    Reader reader(kLimit);
    return reader.feed(bytes);
  };
  EXPECT_EQ(state_of(record(1, std::string(8, '\0'), 1, 0, 2)), State::broken) << "version";
  EXPECT_EQ(state_of("GET / HTTP/1.1\r\n\r\n"), State::broken);
  EXPECT_EQ(state_of(record(1, "ab")), State::broken) << "a begin that is too short";
  EXPECT_EQ(state_of(begin() + record(5, "x")), State::broken) << "a body before the parameters";
  EXPECT_EQ(state_of(begin() + record(4, pair("A", "1")) + record(4, "") + record(4, "x")),
            State::broken)
      << "parameters after their end";
  EXPECT_EQ(state_of(begin() + record(7, "x")), State::broken) << "what only we may send";
  EXPECT_EQ(state_of(begin() + record(4, "\x7f\x7f") + record(4, "")), State::broken) << "cut";
  EXPECT_EQ(state_of(begin() + record(4, std::string("\xff\xff\xff\xff\x01", 5)) + record(4, "")),
            State::broken);
  EXPECT_EQ(state_of(begin() + record(4, pair("A", std::string("b\0c", 3))) + record(4, "")),
            State::broken)
      << "NUL";
  std::string much = begin();
  for (int i = 0; i < 5; ++i) much += record(4, std::string(60000, 'x'));
  EXPECT_EQ(state_of(much), State::broken) << "too many bytes of parameters";
  std::string many = begin();
  std::string pairs;
  for (int i = 0; i < 5000; ++i) pairs += pair("A", "1");
  many += record(4, pairs) + record(4, "");
  EXPECT_EQ(state_of(many), State::broken) << "too many parameters";
}

TEST(Records, aNameWithAnEqualsSignIsNoOtherVariable) {
  Reader reader(kLimit);
  reader.feed(request(pair("HTTP_X=HTTP_Y", "v") + pair("", "v") + pair("B", "1"), ""));
  EXPECT_EQ(first_parameter(reader), "B=1");
  EXPECT_EQ(reader.parameters()[1], nullptr);
}

TEST(Records, paddingAndRecordsOfOtherRequestsAreSkipped) {
  Reader reader(kLimit);
  reader.feed(begin() + record(4, pair("A", "1"), 1, 255) + record(4, "zzz", 9) +
              record(4, "", 1, 3) + record(5, "body", 1, 200) + record(5, "", 1, 1));
  ASSERT_EQ(reader.state(), State::complete);
  EXPECT_EQ(reader.take_body(), "body");
}

TEST(Records, aResponseIsCutIntoRecordsThatAWebServerCanPutTogether) {
  for (const std::size_t size : {0UL, 1UL, 65528UL, 65529UL, 200000UL}) {
    const std::string content(size, 'c');
    const std::string bytes = records::response(513, content);
    std::string seen;
    std::size_t at = 0;
    std::vector<int> types;
    while (at + 8 <= bytes.size()) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
      const std::size_t here = static_cast<std::size_t>(byte(4)) << 8 | byte(5);
      EXPECT_EQ(byte(2) << 8 | byte(3), 513);
      types.push_back(byte(1));
      if (byte(1) == 6) seen += bytes.substr(at + 8, here);
      at += 8 + here + byte(6);
    }
    EXPECT_EQ(at, bytes.size());
    EXPECT_EQ(seen, content);
    EXPECT_EQ(types.back(), 3);
    EXPECT_EQ(types[types.size() - 2], 6);
  }
}

TEST(Records, noBytesAtAllMakeItCrashOrGrow) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = request(pair("CONTENT_LENGTH", "3") + pair("B", "2"), "abc");
    for (int change = 0; change < 3; ++change)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    Reader reader(kLimit);
    reader.feed(bytes + bytes);
    for (int turn = 0; turn < 4 && reader.state() == State::complete; ++turn) reader.next();
    SUCCEED();
  }
}
