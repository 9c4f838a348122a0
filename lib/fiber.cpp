// glibc's check of longjmp() takes a jump to another stack for a mistake.
#undef _FORTIFY_SOURCE

#include "lib/fiber.h"

#include <setjmp.h>
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

jmp_buf main_place;
Fiber* running = nullptr;

#if defined(__SANITIZE_ADDRESS__)
const void* main_stack = nullptr;
std::size_t main_stack_size = 0;
#endif

}  // namespace

// Goes on at `to`, and returns when somebody goes on at `from`. swapcontext() would do the same,
// with two system calls each time for a signal mask that never changes.
static void jump(jmp_buf& from, jmp_buf& to) {
  if (_setjmp(from) == 0) _longjmp(to, 1);
}

// A stack that runs one body after the other.
class Fiber {
 public:
  Fiber() {
    getcontext(&beginning_);
    beginning_.uc_stack.ss_sp = stack_.usable();
    beginning_.uc_stack.ss_size = kStackBytes;
    beginning_.uc_link = nullptr;
    makecontext(&beginning_, &Fiber::enter, 0);
  }

  // What run() is to run next; not before the last one has ended.
  void take(std::function<void()> body) {
    body_ = std::move(body);
    has_ended_ = is_abandoned_ = false;
  }

  // Runs the fiber until it suspends or its body ends.
  void run() {
    running = this;
    exceptions_.exchange();
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, stack_.usable(), kStackBytes);
#endif
    if (has_begun_)
      jump(main_place, place_);
    else if (_setjmp(main_place) == 0)
      setcontext(&beginning_);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
    exceptions_.exchange();
    running = nullptr;
  }
  bool has_ended() const { return has_ended_; }
  std::string_view& label() { return label_; }
  void abandon() { is_abandoned_ = true; }
  bool is_abandoned() const { return is_abandoned_; }

  void leave() {
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, main_stack, main_stack_size);
#endif
    jump(place_, main_place);
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
    self->has_begun_ = true;
    while (true) {
      self->body_();
      self->body_ = nullptr;
      self->has_ended_ = true;
      self->leave();
    }
  }

  std::function<void()> body_;
  Stack stack_;
  ucontext_t beginning_{};
  jmp_buf place_{};
  ExceptionState exceptions_;
  std::string_view label_;
  bool has_begun_ = false;
  bool has_ended_ = false;
  bool is_abandoned_ = false;
};

namespace {

std::string_view& current_label() {
  static std::string_view of_process;
  return running != nullptr ? running->label() : of_process;
}

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
  fiber->take(std::move(body));
  run(std::move(fiber));
}

Fiber* current() { return running; }

void abandon(Fiber* fiber) { fiber->abandon(); }
bool is_abandoned() { return running != nullptr && running->is_abandoned(); }

Label::Label(std::string_view text) { current_label() = text; }
Label::~Label() { current_label() = {}; }
std::string_view label() { return current_label(); }

void suspend() { running->leave(); }

void resume(Fiber* fiber) { run(std::unique_ptr<Fiber>(fiber)); }

}  // namespace fiber
