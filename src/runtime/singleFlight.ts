// Runs a turn at a time: a request during a turn makes one more turn afterwards, however many requests there were.
export function singleFlight(turn: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let isAsked = false

  async function drain(): Promise<void> {
    try {
      do {
        isAsked = false
        await turn()
      } while (isAsked)
    } finally {
      running = undefined // in the same breath as the last look at isAsked, or a request could be lost
    }
  }

  return function lookAgain() {
    isAsked = true
    running ??= drain()
    return running
  }
}
