// Work that can wait until the page has nothing else to do.
export const whenIdle: (work: () => void) => void =
  window.requestIdleCallback ?? ((work: () => void) => setTimeout(work, 100))
