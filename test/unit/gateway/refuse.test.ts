// A refusal is marked, so that a client prints its sentence as it is.
import test from 'ava'
import fastify from 'fastify'
import { refuse } from '../../../src/gateway/refuse.ts'

test('refuse() sends the sentence with its status code and the header that marks it', async t => {
  const app = fastify()
  app.get('/', (_, reply) => refuse(reply, 409, 'Cannot stream a capture that is over'))
  const { statusCode, headers, body } = await app.inject('/')
  t.deepEqual(
    [statusCode, headers['x-selcap-refusal'], body],
    [409, 'sentence', 'Cannot stream a capture that is over\n'],
  )
  await app.close()
})
