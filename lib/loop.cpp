#include "lib/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <vector>

namespace loop {
namespace {

struct State {
  int epoll = -1;
  std::uint64_t next_id = 1;
  std::unordered_map<std::uint64_t, Watch*> watches;  // by the number that epoll gives back
  std::multimap<Clock::time_point, Timer*> timers;
  std::map<const void*, std::function<void()>> hooks;
  std::vector<fiber::Fiber*> woken;
  std::size_t computing = 0;
};

State& state() {
  static State one = [] {
    State made;
    made.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (made.epoll < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    return made;
  }();
  return one;
}

void control(int operation, int descriptor, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(state().epoll, operation, descriptor, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

int milliseconds_until_timer() {
  if (state().timers.empty()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(state().timers.begin()->first - Clock::now())
          .count();
  return static_cast<int>(std::clamp<long>(left, 0, 3'600'000));
}

void run_woken() {
  std::vector<fiber::Fiber*> now;
  while (!state().woken.empty()) {
    now.swap(state().woken);
    for (fiber::Fiber* fiber : now) fiber::resume(fiber);
    now.clear();
  }
}

void run_timers() {
  if (state().timers.empty()) return;
  const Clock::time_point now = Clock::now();
  while (!state().timers.empty() && state().timers.begin()->first <= now)
    state().timers.begin()->second->expire();
}

}  // namespace

Watch::Watch(int descriptor, std::uint32_t events, Callback callback)
    : descriptor_(descriptor),
      events_(events),
      id_(state().next_id++),
      callback_(std::move(callback)) {
  control(EPOLL_CTL_ADD, descriptor_, events_, id_);
  state().watches.emplace(id_, this);
}

Watch::~Watch() {
  epoll_ctl(state().epoll, EPOLL_CTL_DEL, descriptor_, nullptr);
  state().watches.erase(id_);
}

void Watch::set(std::uint32_t events) {
  if (events == events_) return;
  events_ = events;
  control(EPOLL_CTL_MOD, descriptor_, events_, id_);
}

void Timer::set(Clock::time_point when) {
  cancel();
  place_ = state().timers.emplace(when, this);
  is_set_ = true;
}

void Timer::cancel() {
  if (!is_set_) return;
  state().timers.erase(place_);
  is_set_ = false;
}

void Timer::expire() {
  cancel();
  callback_();
}

void before_wait(const void* owner, std::function<void()> hook) {
  if (hook)
    state().hooks[owner] = std::move(hook);
  else
    state().hooks.erase(owner);
}

void wake(fiber::Fiber* fiber) {
  if (fiber != nullptr) state().woken.push_back(fiber);
}

void step() {
  State& here = state();
  run_woken();
  for (const auto& [owner, hook] : here.hooks) hook();
  std::array<epoll_event, 128> events{};
  const int timeout = here.woken.empty() ? milliseconds_until_timer() : 0;
  const int count = epoll_wait(here.epoll, events.data(), events.size(), timeout);
  for (int index = 0; index < count; ++index) {
    const epoll_event& event = events[static_cast<std::size_t>(index)];
    // One callback may have destroyed the watch of another event of this round.
    const std::uint64_t id = event.data.u64;  // the structure is packed: no reference into it
    const auto found = here.watches.find(id);
    if (found != here.watches.end()) found->second->notify(event.events);
  }
  run_woken();
  run_timers();  // after the events: what has arrived in time counts, however busy we were
  run_woken();
}

void wait_until(const std::function<bool()>& done) {
  while (!done()) {
    if (fiber::current() != nullptr)
      fiber::suspend();
    else
      step();
  }
}

void sleep_until(Clock::time_point when) {
  bool is_over = false;
  fiber::Fiber* const sleeper = fiber::current();
  Timer timer([&] {
    is_over = true;
    wake(sleeper);
  });
  timer.set(when);
  wait_until([&] { return is_over; });
}

void offload(Offload kind, const std::function<void()>& work) {
  fiber::Fiber* waiting = fiber::current();
  if (waiting == nullptr) return work();
  struct Descriptor {
    int number = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ~Descriptor() { ::close(number); }
  } ready;
  if (ready.number < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  bool done = false;
  std::exception_ptr thrown;
  Watch watch(ready.number, EPOLLIN, [&](std::uint32_t) {
    std::uint64_t count = 0;
    if (::read(ready.number, &count, sizeof count) < 0) return;
    done = true;
    wake(waiting);
  });
  std::thread thread([&] {
    try {
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
    const std::uint64_t one = 1;
    if (::write(ready.number, &one, sizeof one) < 0) std::terminate();
  });
  const std::size_t computes = kind == Offload::computing ? 1 : 0;
  state().computing += computes;
  wait_until([&] { return done; });
  thread.join();
  state().computing -= computes;
  if (thrown) std::rethrow_exception(thrown);
}

std::size_t computing() { return state().computing; }

}  // namespace loop
