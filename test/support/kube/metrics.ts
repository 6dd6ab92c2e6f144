// The figures of a program that runs in a simulated cluster's network, as Prometheus would get them
// there.
//   const figures = await followFigures(cluster(), child)
//   (await figures()).get('selcap_controller_leads')
import { existsSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { samplesIn } from '../metricSamples.ts'
import { until } from '../until.ts'
import type { Child } from './child.ts'
import type { SimulatedCluster } from './simulated.ts'

export type Figures = () => Promise<ReadonlyMap<string, number>>

/** It has to listen on an address of the API server's network. */
export async function followFigures(cluster: SimulatedCluster, child: Child): Promise<Figures> {
  const served = () => /"port":(\d+)[^\n]*"metrics served"/.exec(child.tail(100_000))?.[1]
  await child.ready(() => Promise.resolve(served() !== undefined))
  const socket = join(cluster.directory, `figures-${child.pid}.sock`)
  cluster.forward(`figures-${child.pid}`, socket, served() ?? '')
  await until('the forwarding socket', () => existsSync(socket), { tails: [child] })
  return async () => samplesIn(await text(await answerOf(socket)))
}

function answerOf(socketPath: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) =>
    get({ socketPath, path: '/metrics', agent: false }, resolve).once('error', reject),
  )
}
