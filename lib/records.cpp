// Section numbers are those of the FastCGI Specification 1.0.
#include "lib/records.h"

#include <fastcgi.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace records {
namespace {

constexpr std::size_t kHeaderBytes = FCGI_HEADER_LEN;
constexpr std::size_t kMaxContent = 65528;  // the largest multiple of 8 that fits (section 3.3)

void append_record(std::string& out, unsigned type, std::uint16_t id, std::string_view content) {
  const std::size_t padding = (8 - content.size() % 8) % 8;
  const char header[kHeaderBytes] = {FCGI_VERSION_1,
                                     static_cast<char>(type),
                                     static_cast<char>(id >> 8),
                                     static_cast<char>(id & 0xff),
                                     static_cast<char>(content.size() >> 8),
                                     static_cast<char>(content.size() & 0xff),
                                     static_cast<char>(padding),
                                     0};
  out.append(header, sizeof header).append(content).append(padding, '\0');
}

void append_end(std::string& out, std::uint16_t id, unsigned protocol_status) {
  const char body[8] = {0, 0, 0, 0, static_cast<char>(protocol_status), 0, 0, 0};
  append_record(out, FCGI_END_REQUEST, id, {body, sizeof body});
}

// A length of one byte, or of four if the first has its high bit set (section 3.4).
std::optional<std::size_t> take_length(std::string_view& bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto at = [&](std::size_t index) { return static_cast<unsigned char>(bytes[index]); };
  std::size_t length = at(0);
  std::size_t size = 1;
  if (length >= 0x80) {
    if (bytes.size() < 4) return std::nullopt;
    length = (static_cast<std::size_t>(at(0) & 0x7f) << 24) | (std::size_t{at(1)} << 16) |
             (std::size_t{at(2)} << 8) | at(3);
    size = 4;
  }
  bytes.remove_prefix(size);
  return length;
}

struct Pair {
  std::string_view name;
  std::string_view value;
};

std::optional<Pair> take_pair(std::string_view& bytes) {
  const auto name = take_length(bytes);
  const auto value = name ? take_length(bytes) : std::nullopt;
  if (!value || *name > bytes.size() || *value > bytes.size() - *name) return std::nullopt;
  const Pair pair{bytes.substr(0, *name), bytes.substr(*name, *value)};
  bytes.remove_prefix(*name + *value);
  return pair;
}

void append_pair(std::string& out, std::string_view name, std::string_view value) {
  out += static_cast<char>(name.size());
  out += static_cast<char>(value.size());
  out.append(name).append(value);
}

}  // namespace

struct Reader::Header {
  unsigned type;
  std::uint16_t id;
  std::size_t content;
  std::size_t padding;
};

Announced announced_length(const char* content_length) {
  if (content_length == nullptr) return {};
  const std::string_view digits(content_length);
  if (digits.empty() || digits == "-1") return {};
  unsigned long long length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument)
    return {false, false, 0};
  if (error == std::errc::result_out_of_range) return {true, true, ~0ULL};
  return {true, true, length};
}

Reader::State Reader::feed(std::string_view bytes) {
  if (state_ == State::broken) return state_;
  input_.append(bytes);
  consume();
  // Only who sends requests ahead of their answers gets here.
  if (input_.size() > kMaxParameterBytes + kMaxDrain) state_ = State::broken;
  return state_;
}

// Takes whole records. While a request is in hand, only an ABORT_REQUEST for it is looked at: web
// servers send the next request after the answer (a second one at once is refused when it is met).
Reader::State Reader::consume() {
  while (state_ != State::broken && input_.size() - used_ >= kHeaderBytes) {
    const auto at = [&](std::size_t index) {
      return static_cast<unsigned char>(input_[used_ + index]);
    };
    if (at(0) != FCGI_VERSION_1) {
      state_ = State::broken;
      break;
    }
    const Header header{at(1), static_cast<std::uint16_t>(at(2) << 8 | at(3)),
                        static_cast<std::size_t>(at(4) << 8 | at(5)), at(6)};
    if (input_.size() - used_ < kHeaderBytes + header.content + header.padding) break;
    if (state_ == State::complete && header.type == FCGI_BEGIN_REQUEST && header.id == id_) break;
    const std::string_view content =
        std::string_view(input_).substr(used_ + kHeaderBytes, header.content);
    used_ += kHeaderBytes + header.content + header.padding;
    take(header, content);
  }
  input_.erase(0, used_);
  used_ = 0;
  return state_;
}

void Reader::take(const Header& header, std::string_view content) {
  if (header.id == 0) return management(header, content);
  if (header.type == FCGI_BEGIN_REQUEST) return begin(header, content);
  // Records of a request that is not active are ignored (section 3.3).
  if (header.id != id_ || state_ == State::idle) return;
  if (header.type == FCGI_ABORT_REQUEST) {
    // One that has been taken is answered: a write that is under way cannot be taken back.
    if (state_ == State::complete) return;
    append_end(replies_, id_, FCGI_REQUEST_COMPLETE);
    return reset();
  }
  if (state_ == State::complete) return;  // more of a body that had to be given up
  if (header.type == FCGI_PARAMS && !has_parameters_) {
    if (content.empty())
      end_of_parameters();
    else
      add_parameters(content);
  } else if (header.type == FCGI_STDIN && has_parameters_) {
    if (content.empty())
      end_of_body();
    else
      add_body(content);
  } else if (header.type != FCGI_DATA) {
    state_ = State::broken;
  }
}

void Reader::begin(const Header& header, std::string_view content) {
  if (content.size() < 3) {
    state_ = State::broken;
  } else if (state_ != State::idle) {
    // We said FCGI_MPXS_CONNS=0; who does it all the same is told (section 5.5).
    append_end(replies_, header.id, FCGI_CANT_MPX_CONN);
  } else if (content[0] != 0 || content[1] != FCGI_RESPONDER) {
    append_end(replies_, header.id, FCGI_UNKNOWN_ROLE);
  } else {
    id_ = header.id;
    keep_ = (content[2] & FCGI_KEEP_CONN) != 0;
    state_ = State::reading;
  }
}

// Section 4.1. Only the three names of the specification have values; each is answered once.
void Reader::management(const Header& header, std::string_view content) {
  if (header.type != FCGI_GET_VALUES) {
    const char body[8] = {static_cast<char>(header.type), 0, 0, 0, 0, 0, 0, 0};
    return append_record(replies_, FCGI_UNKNOWN_TYPE, 0, {body, sizeof body});
  }
  std::string values;
  bool asks_connections = false;
  bool asks_requests = false;
  bool asks_multiplexing = false;
  while (!content.empty()) {
    const auto pair = take_pair(content);
    if (!pair) break;
    asks_connections |= pair->name == FCGI_MAX_CONNS;
    asks_requests |= pair->name == FCGI_MAX_REQS;
    asks_multiplexing |= pair->name == FCGI_MPXS_CONNS;
  }
  if (asks_connections) append_pair(values, FCGI_MAX_CONNS, "512");
  if (asks_requests) append_pair(values, FCGI_MAX_REQS, "512");
  if (asks_multiplexing) append_pair(values, FCGI_MPXS_CONNS, "0");
  append_record(replies_, FCGI_GET_VALUES_RESULT, 0, values);
}

void Reader::add_parameters(std::string_view content) {
  if (encoded_.size() + content.size() > kMaxParameterBytes) {
    state_ = State::broken;
    return;
  }
  encoded_.append(content);
}

void Reader::end_of_parameters() {
  std::string_view rest = encoded_;
  std::vector<std::size_t> begins;
  decoded_.reserve(encoded_.size() + 64);
  while (!rest.empty()) {
    const auto pair = take_pair(rest);
    // A NUL would cut the value for who reads it as C does, so it is not FastCGI for us.
    if (!pair || begins.size() == kMaxParameters ||
        pair->name.find('\0') != std::string_view::npos ||
        pair->value.find('\0') != std::string_view::npos) {
      state_ = State::broken;
      return;
    }
    // "A=B" as a name would be another variable once it is written as NAME=value.
    if (pair->name.empty() || pair->name.find('=') != std::string_view::npos) continue;
    begins.push_back(decoded_.size());
    decoded_.append(pair->name).append(1, '=').append(pair->value).append(1, '\0');
  }
  has_parameters_ = true;
  pointers_.clear();
  const char* content_length = nullptr;
  constexpr std::string_view kContentLength = "CONTENT_LENGTH=";
  for (const std::size_t begin : begins) {
    const char* entry = decoded_.data() + begin;
    pointers_.push_back(entry);
    if (content_length == nullptr && std::string_view(entry).starts_with(kContentLength))
      content_length = entry + kContentLength.size();
  }
  pointers_.push_back(nullptr);
  announced_ = announced_length(content_length);
  if (!announced_.valid) body_state_ = Body::bad_length;
  if (announced_.known && announced_.length > max_body_) body_state_ = Body::too_large;
}

void Reader::add_body(std::string_view content) {
  received_ += content.size();
  if (body_state_ == Body::whole && received_ > max_body_) {
    body_.clear();
    body_state_ = Body::too_large;
  }
  if (body_state_ == Body::whole) {
    body_.append(content);
  } else if (received_ > max_body_ + kMaxDrain) {
    keep_ = false;
    unread_ = true;
    state_ = State::complete;  // the rest is not waited for
  }
}

void Reader::end_of_body() {
  if (body_state_ == Body::whole && announced_.known && received_ != announced_.length)
    body_state_ = Body::cut;
  state_ = State::complete;
}

void Reader::reset() {
  state_ = State::idle;
  id_ = 0;
  has_parameters_ = false;
  encoded_.clear();
  decoded_.clear();
  pointers_.clear();
  announced_ = {};
  body_.clear();
  received_ = 0;
  body_state_ = Body::whole;
}

Reader::State Reader::next() {
  reset();
  // An idle connection keeps no large buffers.
  constexpr std::size_t kKept = 8192;
  if (encoded_.capacity() > kKept) encoded_.shrink_to_fit();
  if (decoded_.capacity() > kKept) decoded_.shrink_to_fit();
  if (body_.capacity() > kKept) body_.shrink_to_fit();
  return consume();
}

std::string response(std::uint16_t id, std::string_view content) {
  std::string out;
  out.reserve(content.size() + (content.size() / kMaxContent + 4) * (kHeaderBytes + 8));
  while (!content.empty()) {
    append_record(out, FCGI_STDOUT, id, content.substr(0, kMaxContent));
    content.remove_prefix(std::min(kMaxContent, content.size()));
  }
  append_record(out, FCGI_STDOUT, id, {});
  append_end(out, id, FCGI_REQUEST_COMPLETE);
  return out;
}

}  // namespace records
