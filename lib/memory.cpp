#include "lib/memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace memory {
namespace {

// Whole pages only: a neighbour on the same page may be writable.
int give_back_object(dl_phdr_info* object, std::size_t, void*) {
  const auto page = static_cast<ElfW(Addr)>(sysconf(_SC_PAGESIZE));
  for (ElfW(Half) index = 0; index < object->dlpi_phnum; ++index) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[index];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const ElfW(Addr) begin = object->dlpi_addr + segment.p_vaddr;
    const ElfW(Addr) first = (begin + page - 1) / page * page;
    const ElfW(Addr) last = (begin + segment.p_memsz) / page * page;
    if (first >= last) continue;
    // The loader tells addresses as numbers. NOLINTNEXTLINE(performance-no-int-to-ptr)
    madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);  // refused: they stay
  }
  return 0;
}

}  // namespace

void give_back() {
  malloc_trim(0);
  dl_iterate_phdr(give_back_object, nullptr);
}

}  // namespace memory
