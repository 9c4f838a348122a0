// FastCGI 1.0 as bytes: the records of one connection put together into requests, and responses
// cut into records. Pure: no descriptors, no clock.
//
// libfcgi is not used for this, because its reads block: a peer that is slow with half a header or
// with a body would stop every other request of the process (lib/fcgi has many in hand). It also
// waits up to 2 s for a peer to close, and a GET_VALUES record can overflow its stack. It stays the
// library that says whether descriptor 0 is a socket at all.
// Must not know: HTTP, what the parameters mean beyond CONTENT_LENGTH.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace records {

// How the body that arrived relates to the length that was announced.
enum class Body {
  whole,
  too_large,   // longer than the limit; `body` is empty
  cut,         // the peer went away, or the body is shorter or longer than CONTENT_LENGTH
  bad_length,  // CONTENT_LENGTH is not a number
  late,        // whole, but it has waited so long for its turn that it is refused (fcgi.h)
};

// What CONTENT_LENGTH says. Web servers write it in four ways: absent, "", "0" for no body, and
// "-1" (Caddy) for a body of unknown length.
struct Announced {
  bool valid = true;
  bool known = false;
  unsigned long long length = 0;
};
Announced announced_length(const char* content_length);

// What a request may have of parameters ("NAME=value"), all together and in number.
inline constexpr std::size_t kMaxParameterBytes = std::size_t{256} * 1024;
inline constexpr std::size_t kMaxParameters = 4096;
// What is read and thrown away of a body over the limit, so that a web server that is still sending
// gets our answer instead of a broken pipe.
inline constexpr std::size_t kMaxDrain = std::size_t{1024} * 1024;

class Reader {
 public:
  enum class State {
    idle,      // between requests
    reading,   // a request has begun
    complete,  // a request is there; take it, then call next()
    broken,    // these bytes are not FastCGI, or too many: close the connection
  };

  explicit Reader(std::size_t max_body_bytes) : max_body_(max_body_bytes) {}

  // Takes bytes as they arrive, in pieces of any size. Bytes after the end of a request are kept.
  State feed(std::string_view bytes);
  State state() const { return state_; }
  // More must come: in the middle of a request, or of a record.
  bool is_incomplete() const {
    return state_ == State::reading || (state_ == State::idle && !input_.empty());
  }

  // Of the request in hand.
  std::uint16_t id() const { return id_; }
  bool keeps_connection() const { return keep_; }
  // "NAME=value", ends with nullptr; good until next().
  const char* const* parameters() const { return pointers_.data(); }
  Body body_state() const { return body_state_; }
  std::string take_body() { return std::move(body_); }
  // The peer is still sending a body that was given up.
  bool has_unread_body() const { return unread_; }

  // Forgets the request in hand and goes on with the bytes behind it.
  State next();

  // What the protocol itself wants to be answered (GET_VALUES, unknown types and roles, a second
  // request at once). To be sent before anything else.
  std::string take_replies() { return std::move(replies_); }

 private:
  struct Header;
  State consume();
  void take(const Header& header, std::string_view content);
  void begin(const Header& header, std::string_view content);
  void management(const Header& header, std::string_view content);
  void add_parameters(std::string_view content);
  void end_of_parameters();
  void add_body(std::string_view content);
  void end_of_body();
  void reset();

  std::size_t max_body_;
  State state_ = State::idle;
  std::string input_;
  std::size_t used_ = 0;
  std::uint16_t id_ = 0;
  bool keep_ = false;
  bool has_parameters_ = false;  // their stream has ended
  bool unread_ = false;
  std::string encoded_;  // the PARAMS stream
  std::string decoded_;  // NAME=value NUL …
  std::vector<const char*> pointers_;
  Announced announced_;
  std::string body_;
  std::size_t received_ = 0;
  Body body_state_ = Body::whole;
  std::string replies_;
};

// The whole answer to request `id`: its STDOUT stream and END_REQUEST.
std::string response(std::uint16_t id, std::string_view content);

}  // namespace records
