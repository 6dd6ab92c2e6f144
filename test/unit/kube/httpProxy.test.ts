// As Go's programs read the environment, kubectl among them.
import test from 'ava'
import { environmentProxy } from '../../../src/kube/httpProxy.ts'

const proxy = 'http://proxy.test:3128'
const name = 'https://api.cluster.test:6443'
const address = 'https://10.1.2.3:6443'

for (const [server, env, expected] of [
  [name, { HTTPS_PROXY: proxy }, proxy],
  [name, { https_proxy: proxy }, proxy],
  [name, { HTTPS_PROXY: '', https_proxy: proxy }, proxy],
  [name, { HTTPS_PROXY: proxy, https_proxy: 'http://other.test' }, proxy],
  [name, { HTTPS_PROXY: 'proxy.test:3128' }, proxy],
  [name, { HTTPS_PROXY: 'socks5://proxy.test:1080' }, 'socks5://proxy.test:1080'],
  [name, { HTTP_PROXY: proxy }, undefined],
  ['http://api.cluster.test:8080', { HTTP_PROXY: proxy, HTTPS_PROXY: 'http://other.test' }, proxy],
  [name, {}, undefined],
  ['https://localhost:6443', { HTTPS_PROXY: proxy }, undefined],
  ['https://127.0.0.1:6443', { HTTPS_PROXY: proxy }, undefined],
  ['https://[::1]:6443', { HTTPS_PROXY: proxy }, undefined],
] as const) {
  test(`environmentProxy(${server}, ${JSON.stringify(env)}) is ${expected}`, t =>
    t.is(environmentProxy(server, env), expected))
}

for (const [server, NO_PROXY, isProxied] of [
  [name, '*', false],
  [name, 'other.test, api.cluster.test', false],
  [name, 'CLUSTER.test', false],
  [name, '.cluster.test', false],
  [name, '*.cluster.test', false],
  [name, '.api.cluster.test', true],
  [name, 'luster.test', true],
  [name, 'api.cluster.test:6443', false],
  [name, 'api.cluster.test:443', true],
  ['https://api.cluster.test', 'api.cluster.test:443', false],
  [name, '10.0.0.0/8', true],
  [name, ' , ', true],
  [address, '10.0.0.0/8', false],
  [address, '10.1.2.3', false],
  [address, '10.1.2.3:6443', false],
  [address, '10.1.2.3:443', true],
  [address, '10.1.2', true],
  [address, '10.2.0.0/16', true],
  [address, '10.0.0.0/99', true],
  [address, 'fd00::/8', true],
  ['https://[fd00::1]:6443', 'fd00::/8', false],
  ['https://[fd00::1]:6443', 'fd00::1', false],
  ['https://[fd00::1]:6443', '[fd00::1]:6443', false],
  ['https://[fd00::1]:6443', '[fd00::1]:443', true],
] as const) {
  test(`environmentProxy(${server}) is ${isProxied ? 'the proxy' : 'none'} when NO_PROXY is "${NO_PROXY}"`, t => {
    t.is(
      environmentProxy(server, { HTTPS_PROXY: proxy, no_proxy: NO_PROXY }),
      isProxied ? proxy : undefined,
    )
  })
}
