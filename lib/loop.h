// The event loop of a process: descriptors, timers, and fibers that wait for them. One for each
// process, on its main thread. Where nothing runs in a fiber (plain CGI, tools), waiting drives the
// loop instead, so that the modules above need only one way to wait.
// Must not know: what the descriptors are.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "lib/fiber.h"

namespace loop {

using Clock = std::chrono::steady_clock;

// Calls back while a descriptor is ready (level-triggered). The descriptor must stay open as long
// as the watch exists. A callback may destroy watches, its own included.
class Watch {
 public:
  using Callback = std::function<void(std::uint32_t events)>;

  // `events`: EPOLLIN, EPOLLOUT, EPOLLEXCLUSIVE of epoll_ctl(2). Throws std::system_error.
  Watch(int descriptor, std::uint32_t events, Callback callback);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  void set(std::uint32_t events);
  void notify(std::uint32_t events) { callback_(events); }

 private:
  int descriptor_;
  std::uint32_t events_;
  std::uint64_t id_;
  Callback callback_;
};

// Calls back once when its time has come.
class Timer {
 public:
  explicit Timer(std::function<void()> callback) : callback_(std::move(callback)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  void set(Clock::time_point when);
  void cancel();
  bool is_set() const { return is_set_; }
  void expire();

 private:
  std::function<void()> callback_;
  std::multimap<Clock::time_point, Timer*>::iterator place_;
  bool is_set_ = false;
};

// Called once before each wait for events: for output that is better sent together. One for each
// `owner`; an empty one removes it.
void before_wait(const void* owner, std::function<void()> hook);

// The fiber goes on when the events in hand have been looked at. nullptr: nothing to do.
void wake(fiber::Fiber* fiber);

// Looks at events and timers once, and waits for the first of them.
void step();

// Returns when `done` holds, which must be asked again whenever the waiting fiber is woken (in a
// fiber) or something has happened (on the main stack).
void wait_until(const std::function<bool()>& done);

// Returns at `when`; other fibers run meanwhile.
void sleep_until(Clock::time_point when);

// What a thread is for.
enum class Offload {
  waiting,    // what can only be waited for by blocking
  computing,  // what takes a core for long
};

// Runs `work` in a thread of its own while the loop goes on; in plain CGI just here. Throws what
// `work` throws.
void offload(Offload kind, const std::function<void()>& work);

// How many threads compute for the process now.
std::size_t computing();

}  // namespace loop
