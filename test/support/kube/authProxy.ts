// Program: an authenticating proxy before an API server, as Rancher and Teleport have it: it takes a
// token of its own, and passes requests on with its own credentials, as the user that token stands
// for. In: the API server, its port here, the token it has there, its own token, the user, and the
// files of a certificate and its key. Out: "listening" on standard output.
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:https'

const [server = '', port = '', token = '', own = '', user = '', cert = '', key = ''] =
  process.argv.slice(2)

createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (asked, response) => {
  if (asked.headers.authorization !== `Bearer ${own}`) {
    const message = 'Unauthorized 401: must authenticate'
    return response.writeHead(401).end(JSON.stringify({ type: 'error', status: '401', message }))
  }
  const { host: _, ...headers } = asked.headers
  const sent = request(new URL(asked.url ?? '/', server), {
    method: asked.method ?? 'GET',
    headers: { ...headers, authorization: `Bearer ${token}`, 'impersonate-user': user },
    ca: readFileSync(cert),
  })
  sent.on('response', answer => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  })
  sent.on('error', () => response.destroy())
  response.on('error', () => {}).on('close', () => sent.destroy())
  asked.pipe(sent)
  return undefined
}).listen(Number(port), new URL(server).hostname, () => process.stdout.write('listening\n'))
