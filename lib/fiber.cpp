#include "lib/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cxxabi.h>
#include <array>
#include <cstring>
#include <exception>
#include <new>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace fiber {
namespace {

// Fibers that are kept, with their stacks, for the next ones; more than these go back to the
// system.
constexpr std::size_t kKept = 64;

std::size_t guard_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

class Stack {
 public:
  Stack()
      : begin_(mmap(nullptr, size(), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0)) {
    if (begin_ == MAP_FAILED) throw std::bad_alloc();
    if (mprotect(begin_, guard_bytes(), PROT_NONE) != 0) {
      munmap(begin_, size());
      throw std::bad_alloc();
    }
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() { munmap(begin_, size()); }

  void* usable() const { return static_cast<char*>(begin_) + guard_bytes(); }

 private:
  static std::size_t size() { return kStackBytes + guard_bytes(); }
  void* begin_;
};

// What the C++ runtime knows of exceptions in flight is one record for each thread (Itanium C++
// ABI, section 2.2.2). A fiber that suspends inside a catch block takes its own along.
struct ExceptionState {
  std::array<std::byte, sizeof(void*) + sizeof(unsigned)> bytes{};

  void exchange() {
    std::array<std::byte, sizeof(void*) + sizeof(unsigned)> old{};
    void* globals = abi::__cxa_get_globals();
    std::memcpy(old.data(), globals, old.size());
    std::memcpy(globals, bytes.data(), bytes.size());
    bytes = old;
  }
};

ucontext_t main_context;
Fiber* running = nullptr;

#if defined(__SANITIZE_ADDRESS__)
const void* main_stack = nullptr;
std::size_t main_stack_size = 0;
#endif

}  // namespace

class Fiber {
 public:
  // Prepares it to run `body` from the beginning of its stack.
  void begin(std::function<void()> body) {
    body_ = std::move(body);
    ended_ = false;
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_.usable();
    context_.uc_stack.ss_size = kStackBytes;
    context_.uc_link = nullptr;
    makecontext(&context_, &Fiber::enter, 0);
  }

  // Runs the fiber until it suspends or ends.
  void run() {
    running = this;
    exceptions_.exchange();
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, stack_.usable(), kStackBytes);
#endif
    swapcontext(&main_context, &context_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
    exceptions_.exchange();
    running = nullptr;
  }
  bool has_ended() const { return ended_; }

  void leave() {
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(ended_ ? nullptr : &fake_stack, main_stack, main_stack_size);
#endif
    swapcontext(&context_, &main_context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, &main_stack, &main_stack_size);
#endif
  }

 private:
  static void enter() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &main_stack, &main_stack_size);
#endif
    Fiber* self = running;
    self->body_();
    self->body_ = nullptr;
    self->ended_ = true;
    self->leave();
  }

  std::function<void()> body_;
  Stack stack_;
  ucontext_t context_{};
  ExceptionState exceptions_;
  bool ended_ = false;
};

namespace {

std::vector<std::unique_ptr<Fiber>> kept;

void run(std::unique_ptr<Fiber> fiber) {
  fiber->run();
  if (!fiber->has_ended())
    static_cast<void>(fiber.release());  // whoever resumes it has it
  else if (kept.size() < kKept)
    kept.push_back(std::move(fiber));
}

}  // namespace

void start(std::function<void()> body) {
  std::unique_ptr<Fiber> fiber;
  if (kept.empty()) {
    fiber = std::make_unique<Fiber>();
  } else {
    fiber = std::move(kept.back());
    kept.pop_back();
  }
  fiber->begin(std::move(body));
  run(std::move(fiber));
}

Fiber* current() { return running; }

void suspend() { running->leave(); }

void resume(Fiber* fiber) { run(std::unique_ptr<Fiber>(fiber)); }

}  // namespace fiber
