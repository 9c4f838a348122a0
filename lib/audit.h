// What happens to accounts, one line each in the log, for who has to find out later: the event,
// whose account, from which address (as limits see it: of IPv6, the first 64 bits), in which
// request. Never addresses of mail, passwords or tokens. Written after the database has it. Must
// not know: routes, what makes an event.
#pragma once

#include <string_view>

#include "lib/http.h"

namespace audit {

// SECURITY.md lists the events. "": nobody's account, or a thing that is not for all events.
void log(const http::Request& request, std::string_view event, std::string_view user_id,
         std::string_view detail = "");

// Done by a person on the command line, or by a program of its own accord (`who`).
void log(std::string_view who, std::string_view event, std::string_view user_id);

}  // namespace audit
