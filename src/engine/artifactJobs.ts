// Makes artifacts of finished captures beside the turns, because an archive takes its time. In:
// jobs of a decision. Out: each job's result in the tap manager, and a turn that publishes it.
// Refuses a second job for a capture while the first one runs.
import type { ArtifactResult } from '../model/artifact.ts'
import type { ArtifactJob } from '../model/decision.ts'
import type { TapManager } from '../tap/tapManager.ts'

export type ArtifactJobsDeps = {
  readonly tapManager: Pick<TapManager, 'actualState' | 'setArtifactResult'>
  /** An expected failure is part of the result; missing: this engine makes no artifacts. */
  readonly makeArtifact:
    | ((job: ArtifactJob, signal: AbortSignal) => Promise<ArtifactResult>)
    | undefined
  readonly signal: AbortSignal
  readonly onDone: () => void
  readonly onBug: (error: unknown) => void
}

export class ArtifactJobs {
  readonly #deps: ArtifactJobsDeps
  readonly #running = new Map<string, Promise<void>>() // by capture uid

  constructor(deps: ArtifactJobsDeps) {
    this.#deps = deps
  }

  start(job: ArtifactJob): void {
    const { tapManager, makeArtifact, signal, onDone, onBug } = this.#deps
    const { uid } = job.capture
    if (!makeArtifact || this.#running.has(uid)) return
    const actual = tapManager.actualState().captures.get(job.key)
    if (actual?.uid !== uid || actual.artifact !== job.facts.artifact) return // a result came after this turn's decision
    const stored = makeArtifact(job, signal)
      .then(async result => {
        if (!signal.aborted) await tapManager.setArtifactResult(job.key, uid, result)
      })
      .catch(onBug)
      .finally(() => this.#running.delete(uid))
    this.#running.set(uid, stored.then(onDone))
  }

  /** Resolves when the jobs that run now are done. */
  async finished(): Promise<void> {
    await Promise.all(this.#running.values())
  }
}
