// A binary heap. In: an order, and items. Out: the first item by that order. Only the first item's
// rank may change while it is in the heap; the caller then calls sinkFirst().
export class Heap<Item> {
  readonly #isBefore: (a: Item, b: Item) => boolean
  readonly #items: Item[] = []

  constructor(isBefore: (a: Item, b: Item) => boolean) {
    this.#isBefore = isBefore
  }

  get first(): Item | undefined {
    return this.#items[0]
  }

  add(item: Item): void {
    this.#items.push(item)
    let at = this.#items.length - 1 // rises to its place
    while (at > 0 && this.#swapIfBefore(at, (at - 1) >> 1)) at = (at - 1) >> 1
  }

  removeFirst(): void {
    const last = this.#items.pop()
    if (last === undefined || this.#items.length === 0) return
    this.#items[0] = last
    this.sinkFirst()
  }

  sinkFirst(): void {
    let at = 0 // sinks to its place
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const next =
        right < this.#items.length && this.#isBefore(this.#item(right), this.#item(left))
          ? right
          : left
      if (next >= this.#items.length || !this.#swapIfBefore(next, at)) return
      at = next
    }
  }

  #item(at: number): Item {
    return this.#items[at] as Item
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const [a, b] = [this.#item(lower), this.#item(upper)]
    if (!this.#isBefore(a, b)) return false
    this.#items[upper] = a
    this.#items[lower] = b
    return true
  }
}
