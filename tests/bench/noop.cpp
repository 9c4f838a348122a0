// The floor under every handler: a FastCGI program that answers without looking at the request.
// nginx keeps its connections here, and each pins one thread of libfcgi, so there are more threads
// than nginx opens connections at once.
#include <fcgiapp.h>

#include <csignal>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 256;
constexpr char kAnswer[] =
    "Content-Type: application/json\r\n\r\n"
    R"({"id":1,"title":"A task of the usual length","description":"What there is to say about it",)"
    R"("completed":false,"user_id":"1000000000000000001","created_at":"2026-01-01T00:00:00.000Z",)"
    R"("updated_at":"2026-01-01T00:00:00.000Z"})";

void answer_all() {
  FCGX_Request request;
  if (FCGX_InitRequest(&request, 0, 0) != 0) return;
  while (FCGX_Accept_r(&request) == 0) {
    FCGX_PutStr(kAnswer, sizeof kAnswer - 1, request.out);
    FCGX_Finish_r(&request);
  }
}

}  // namespace

int main() {
  if (FCGX_Init() != 0) return 1;
  std::signal(SIGTERM, SIG_DFL);  // libfcgi's own handler only sets a flag
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(answer_all);
}
