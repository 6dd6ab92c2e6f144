// A real Prometheus on loopback, with a configuration of one's own. In: its configuration and rule
// groups. Out: the names of the alerts that fire. It is stopped, and its data removed, at the end of
// the scope.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Child, startChild } from './child.ts'
import { toolPath } from './tools.ts'

type Alerts = {
  readonly data: {
    readonly alerts: readonly {
      readonly state: string
      readonly labels: Readonly<Record<string, string>>
    }[]
  }
}

export class Prometheus implements AsyncDisposable {
  readonly child: Child
  readonly #folder: string

  private constructor(child: Child, folder: string) {
    this.child = child
    this.#folder = folder
  }

  static async start(configuration: object, rules: object): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'selcap-prometheus-'))
    const path = (name: string): string => join(folder, name)
    writeFileSync(path('rules.yaml'), stringify(rules))
    writeFileSync(
      path('prometheus.yaml'),
      stringify({ ...configuration, rule_files: ['rules.yaml'] }),
    )
    const args = [
      toolPath('prometheus'),
      `--config.file=${path('prometheus.yaml')}`,
      `--storage.tsdb.path=${path('data')}`,
      '--web.listen-address=127.0.0.1:0',
    ]
    const child = startChild('prometheus', args, { logFile: path('log') })
    const started = new Prometheus(child, folder)
    await child.ready(() => started.#isReady())
    return started
  }

  /** The labels of each alert that fires now, by its name. */
  async firing(): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    const answer = await fetch(`http://127.0.0.1:${this.#port()}/api/v1/alerts`)
    const { data } = (await answer.json()) as Alerts
    return new Map(
      data.alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels }) => [labels.alertname ?? '', labels]),
    )
  }

  /** It listens before it answers queries. */
  async #isReady(): Promise<boolean> {
    const port = this.#port()
    return port !== undefined && (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok
  }

  /** It takes a free one, and logs it. */
  #port(): string | undefined {
    return /msg="Listening on" [^\n]*address=127\.0\.0\.1:(\d+)/.exec(this.child.tail(1_000))?.[1]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
