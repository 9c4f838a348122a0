#include "lib/audit.h"

#include "lib/ip.h"
#include "lib/logging.h"

namespace audit {

void log(const http::Request& request, std::string_view event, std::string_view user_id,
         std::string_view detail) {
  logging::Line line(logging::Level::info);
  line.field("audit", event);
  if (!user_id.empty()) line.field("user_id", user_id);
  line.field("addr", ip::client(request.forwarded_for(), request.settings().trusted_proxies))
      .field("rid", request.id());
  if (!detail.empty()) line.field("detail", detail);
}

void log(std::string_view who, std::string_view event, std::string_view user_id) {
  logging::Line line(logging::Level::info);
  line.field("audit", event).field("by", who);
  if (!user_id.empty()) line.field("user_id", user_id);
}

}  // namespace audit
