// The names of a node's interfaces as they come, go and are renamed: real ones, in the network
// namespace of the test.
import { openDriver } from '../../../src/driver/openDriver.ts'
import { HostLinks } from '../../../src/netdev/hostLinks.ts'
import { uniqueName } from '../../support/net/namespace.ts'
import { makePod } from '../../support/net/pod.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { ip } from '../../support/net/run.ts'
import { until } from '../../support/until.ts'

networkTest('HostLinks follows interfaces that come, are renamed and go', async t => {
  await using driver = await openDriver('ring')
  let changes = 0
  using links = await HostLinks.open(driver, true, () => changes++)
  t.true(links.names.includes('lo'))
  const pod = await makePod(t)
  await until('the new one', () => links.names.includes(pod.hostName))
  const renamed = uniqueName()
  await ip([`link set dev ${pod.hostName} down name ${renamed}`])
  await until(
    'its new name',
    () => links.names.includes(renamed) && !links.names.includes(pod.hostName),
  )
  await ip([`link del dev ${renamed}`])
  await until('that it has gone', () => !links.names.includes(renamed))
  t.true(changes >= 3)
})

networkTest('HostLinks looks at nothing where nobody may ask for the host', async t => {
  await using driver = await openDriver('ring')
  using links = await HostLinks.open(driver, false, () => t.fail())
  t.deepEqual(links.names, [])
})
