// Finds the environment's proxy for a server, by kubectl's rules: HTTPS_PROXY or HTTP_PROXY,
// unless NO_PROXY lists the server. Pure. In: the server's address, the environment. Out: the
// proxy's address; undefined: none.
import { BlockList, isIP, isIPv6 } from 'node:net'

type Environment = Readonly<Record<string, string | undefined>>

export function environmentProxy(server: string, env: Environment): string | undefined {
  const { protocol, hostname, port } = new URL(server)
  const [name, usualPort] = protocol === 'https:' ? ['https_proxy', '443'] : ['http_proxy', '80']
  const given = variableIn(env, name)
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase()
  if (!given || isOwn(host)) return undefined
  const exceptions = (variableIn(env, 'no_proxy') ?? '')
    .split(',')
    .map(each => each.trim().toLowerCase())
  if (exceptions.some(each => each !== '' && covers(each, host, port || usualPort)))
    return undefined
  return given.includes('://') ? given : `http://${given}`
}

function variableIn(env: Environment, name: string): string | undefined {
  return env[name.toUpperCase()] || env[name]
}

function isOwn(host: string): boolean {
  return host === 'localhost' || (isIP(host) === 4 && host.startsWith('127.')) || host === '::1'
}

/**
 * "*", an address, a network or a name. A name includes its subdomains; a leading dot means the
 * subdomains alone.
 */
function covers(exception: string, host: string, port: string): boolean {
  if (exception === '*') return true
  if (exception.includes('/')) return isWithin(exception, host)
  const [, name = '', onlyPort] =
    /^(\[[^\]]*\]|[^:]*|[^[]*:[^[]*:[^[]*?)(?::(\d+))?$/.exec(exception) ?? []
  if (onlyPort !== undefined && onlyPort !== port) return false
  const plain = name.replace(/^\[|\]$/g, '').replace(/^\*\./, '.')
  if (isIP(plain)) return plain === host
  if (isIP(host) || plain === '') return false
  return plain.startsWith('.') ? host.endsWith(plain) : host === plain || host.endsWith(`.${plain}`)
}

function isWithin(network: string, host: string): boolean {
  const [address = '', length] = network.split('/')
  if (isIP(address) === 0 || isIP(host) !== isIP(address) || !/^\d{1,3}$/.test(length ?? ''))
    return false
  const kind = isIPv6(address) ? 'ipv6' : 'ipv4'
  if (Number(length) > (kind === 'ipv6' ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(address, Number(length), kind)
  return list.check(host, kind)
}
