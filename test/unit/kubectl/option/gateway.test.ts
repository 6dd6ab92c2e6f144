// The flags that choose the way to the gateway.
import test from 'ava'
import { Command } from 'commander'
import { type GatewayClientOptions, withGateway } from '../../../../src/kubectl/option/gateway.ts'
import { systemNamespace } from '../../../../src/model/wellKnown.ts'

function read(...flags: readonly string[]): GatewayClientOptions {
  const command = withGateway(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  return command.parse(flags, { from: 'user' }).opts()
}

test('withGateway() looks where selcap is installed unless it is told another namespace', t => {
  t.deepEqual(read(), { gatewayNamespace: systemNamespace })
  t.is(read('--gateway-namespace', 'tools').gatewayNamespace, 'tools')
})

test('withGateway() refuses a way that there is not', t => {
  t.is(read('--via', 'port-forward').via, 'port-forward')
  t.throws(() => read('--via', 'tunnel'), { message: /choices are proxy, port-forward/ })
})
