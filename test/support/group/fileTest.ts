// What stands for AVA's `test` in one file of a group. In: the file, AVA's `test`. Out: declarations
// to hand to AVA later, each a serial test titled `FILE › title`. Refuses hooks and `test.only`,
// which would hold for the tests of other files too.
import type { TestFn } from 'ava'

type Body = (...args: readonly unknown[]) => unknown
type Macro = {
  readonly exec: Body
  readonly title?: (title: string | undefined, ...args: readonly unknown[]) => string
}
type Declare = (...args: readonly unknown[]) => void

export type Declaration = () => void

export function fileTest(file: string, ava: TestFn, declarations: Declaration[]): object {
  const named =
    (declare: unknown): Declare =>
    (...args) => {
      const titled = withFile(file, args)
      declarations.push(() => (declare as Declare)(...titled))
    }
  const test = Object.assign(named(ava.serial), {
    serial: named(ava.serial),
    skip: named(ava.serial.skip),
    failing: named(ava.serial.failing),
    todo: named(ava.serial.todo),
    macro: ava.macro,
  })
  return new Proxy(test, {
    get(target, key) {
      if (key in target) return Reflect.get(target, key)
      throw new Error(
        `Cannot use test.${String(key)} in ${file}: it would hold for other files of the unit tests too`,
      )
    },
  })
}

function withFile(file: string, args: readonly unknown[]): readonly unknown[] {
  const isTitled = typeof args[0] === 'string'
  const title = isTitled ? args[0] : undefined
  const [body, ...rest] = isTitled ? args.slice(1) : args
  if (body === undefined || typeof body === 'function')
    return [`${file} › ${title}`, ...args.slice(1)]
  const { exec, title: titleOf } = body as Macro
  return [`${file} › ${titleOf?.(title as string | undefined, ...rest) ?? title}`, exec, ...rest]
}
