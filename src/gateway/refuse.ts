// Refuses a request with a whole sentence. In: a reply, the status code and a sentence without its
// line end. Out: the reply, marked for clients that print the sentence as it is.
import type { FastifyReply } from 'fastify'
import { refusalHeader } from '../model/refusalHeader.ts'

export function refuse(reply: FastifyReply, statusCode: number, sentence: string): FastifyReply {
  return reply.code(statusCode).header(refusalHeader, 'sentence').send(`${sentence}\n`)
}
