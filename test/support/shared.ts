// A stage that several tests of a file use: made once, by the first test that asks.
//   const onStage = shared(() => makeStage(cluster()))
// When it does not come up, the first test tells why. The others fail with one line, and nothing is
// made a second time.
export function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return async () => {
    const isFirst = made === undefined
    made ??= make()
    try {
      return await made
    } catch (error) {
      if (isFirst) throw error
      throw new Error(
        'Cannot test: the shared stage did not come up; the first test of this file that needs it tells why',
      )
    }
  }
}
