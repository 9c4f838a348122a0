// Origins (RFC 6454) and the two questions that Better Auth asks of them (contract
// better-auth-wire, section 1.6): is this origin trusted, and may we redirect to this URL?
// Pure; must not know requests or settings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace origin {

// "HTTP://Example.com:80/a?b" -> "http://example.com". nullopt if it is not an absolute URL with a
// host. Default ports (http 80, https 443) are left out; user information is dropped.
std::optional<std::string> of_url(std::string_view url);

// Is the origin of `candidate` (an origin or a URL) matched by one of the `trusted` entries?
// Entries: an origin or URL; with '*' (any run of characters) and '?' (one character) a pattern,
// on the whole origin if it contains "://", else on host and port with any scheme; "scheme://"
// alone for any URL of a custom scheme.
bool is_trusted(std::string_view candidate, std::span<const std::string> trusted);

// May a user be sent to `url`? A path (one leading '/', no backslash, no control character, no
// encoded slash or backslash before '?' or '#', same origin once resolved), or an absolute URL of
// a trusted origin.
bool is_safe_redirect(std::string_view url, std::span<const std::string> trusted);

}  // namespace origin
