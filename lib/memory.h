// What a process holds in memory while nobody asks it for anything.
// Must not know: what the process does.
#pragma once

namespace memory {

// Gives back to the system what a process at rest does without: free heap, and those pages of the
// program and its libraries that cannot be written. They come from the page cache again when they
// are touched, which costs the next request up to a millisecond. A debugger's breakpoints are in
// such pages, and go with them.
void give_back();

}  // namespace memory
