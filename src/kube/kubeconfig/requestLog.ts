// Tells of requests on standard error, at kubectl's levels: -v 6 each request with its status and
// duration, 7 also its headers, 8 also those of the answer. A token or another secret is masked.
import type { Kube } from '../request.ts'

const masked = /^(authorization|x-selcap-authorization|cookie|set-cookie)$/i

export function logged(
  kube: Kube,
  server: string,
  verbosity: number,
  say = (line: string) => void process.stderr.write(`${line}\n`),
): Kube {
  if (verbosity < 6) return kube
  return async request => {
    const { method = 'GET', path, query = {}, headers = {} } = request
    const search = new URLSearchParams(query).toString()
    const what = `${method} ${server}${path}${search && `?${search}`}`
    const startMs = performance.now()
    const ms = () => `${Math.round(performance.now() - startMs)} ms`
    if (verbosity >= 7) for (const line of headerLines(headers)) say(`> ${line}`)
    try {
      const response = await kube(request)
      say(`${what} ${response.statusCode} in ${ms()}`)
      if (verbosity >= 8) for (const line of headerLines(response.headers)) say(`< ${line}`)
      return response
    } catch (error) {
      say(`${what} failed in ${ms()}: ${(error as Error).message}`)
      throw error
    }
  }
}

function headerLines(headers: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(headers).map(
    ([name, value]) => `${name}: ${masked.test(name) ? '<masked>' : String(value)}`,
  )
}
