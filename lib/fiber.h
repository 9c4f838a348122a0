// Cooperative threads: functions that run on stacks of their own and give the processor up only
// where they say so. This is what lets a handler be written as if it were alone while its process
// has many requests in hand: the statement that it waits for is the one place where it stops.
// Must not know: what anybody waits for.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace fiber {

class Fiber;

// Begins `body` on a stack of its own and returns when it ends or suspends. Only from the main
// stack. `body` must not throw. Throws std::bad_alloc if there is no memory for the stack.
void start(std::function<void()> body);

// The fiber that runs now; nullptr on the main stack.
Fiber* current();

// Gives the processor back to the main stack, until resume(). Only inside a fiber.
void suspend();

// Goes on with a suspended fiber and returns when it ends or suspends again. Only from the main
// stack. Of a fiber that has ended the pointer means nothing any more.
void resume(Fiber* fiber);

// Says of a fiber that nobody waits for its result any more; whether that was said of the running
// one (false outside of one), for what costs much and changes nothing.
void abandon(Fiber* fiber);
bool is_abandoned();

// What the running fiber works on (outside of one: the process), for modules that tell others of
// it. Holds as long as the object lives, and so must the text.
class Label {
 public:
  explicit Label(std::string_view text);
  Label(const Label&) = delete;
  Label& operator=(const Label&) = delete;
  ~Label();
};
std::string_view label();

// Bytes of each stack. Only pages that were touched take memory; below it lies a page that traps.
inline constexpr std::size_t kStackBytes = std::size_t{512} * 1024;

}  // namespace fiber
