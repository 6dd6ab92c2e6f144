// Runs one turn at a time. In: the turn. Out: a function that requests one; all requests during a
// turn make one more turn after it.
export function singleFlight(turn: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let isRequested = false

  async function drain(): Promise<void> {
    try {
      do {
        isRequested = false
        await turn()
      } while (isRequested)
    } finally {
      running = undefined // synchronous with the last read of isRequested, or a request could be lost
    }
  }

  return function requestTurn() {
    isRequested = true
    running ??= drain()
    return running
  }
}
