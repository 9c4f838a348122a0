// GET {auth}/error: the page to which a failed link leads.
// Contract: better-auth-wire, section 1.8. Must not know: how a request arrives.
#include <algorithm>

#include "lib/http.h"
#include "lib/route.h"

namespace {

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

bool is_code(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '\'';
  });
}

http::Response handle(const http::Request& request, db::Connection&) {
  const http::Query query = request.query();
  std::string code = query.value("error").value_or("UNKNOWN");
  if (!is_code(code)) code = "UNKNOWN";
  const std::string description = query.value("error_description").value_or("");
  std::string page =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>Error</title></head><body>"
      "<h1>Something went wrong</h1><p>Error: <code>" +
      escaped(code) + "</code></p>";
  if (!description.empty()) page += "<p>" + escaped(description) + "</p>";
  page += "<p><a href=\"/\">Back to the start</a></p></body></html>";
  return {200,
          {{"Content-Type", "text/html"},
           {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"}},
          std::move(page)};
}

constexpr route::Route kRoutes[] = {{http::GET, "{auth}/error", handle}};

}  // namespace

int main(int argc, char** argv) { return route::serve("error", kRoutes, argc, argv); }
