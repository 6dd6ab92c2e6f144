// Signals to `selcap standalone`: each ends it in order, with every packet in its files and a last
// status, or does nothing.
import { networkTest } from '../../support/net/privilege.ts'
import { message, packets, twoCaptures } from '../../support/processes/twoCaptures.ts'

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
  networkTest(
    `${signal} ends standalone with exit code 0 and a last status, and loses no packet`,
    async t => {
      const { app, start, captured, send } = await twoCaptures(t)
      await start()
      await captured(10)
      await send(10) // received, and not told of yet
      t.is(await app.stop(signal), 0)
      for (const name of ['old', 'new']) {
        t.is(app.records(name), 20)
        t.is(packets(app, name), 20)
        t.regex(message(app, name), /has stopped/)
      }
    },
  )
}

networkTest(
  'SIGUSR1, SIGUSR2, SIGALRM and their like do nothing: no debugger opens, and captures go on',
  async t => {
    const { app, start, captured } = await twoCaptures(t)
    await start()
    await captured(10)
    for (const signal of [
      'SIGUSR1',
      'SIGUSR2',
      'SIGALRM',
      'SIGVTALRM',
      'SIGIO',
      'SIGXCPU',
    ] as const)
      app.process?.kill(signal)
    await captured(10, 20)
    t.deepEqual(
      app.log.filter(line => /debugger/i.test(line)),
      [],
    )
    t.is(await app.stop(), 0)
  },
)
