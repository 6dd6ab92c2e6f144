// The options of `create --api retina` for fields that Retina's Capture alone has. Pure.
// command/createRetina.ts makes a Capture of them.
import type { Command } from 'commander'
import { readMore } from './quantity.ts'

export type RetinaOptions = {
  readonly nodeSelectors?: readonly string[]
  readonly podSelectors?: readonly string[]
  readonly namespaceSelectors?: readonly string[]
  readonly includeFilter?: readonly string[]
  readonly excludeFilter?: readonly string[]
  readonly interfaces?: readonly string[]
  readonly hostPath?: string
  readonly metadata?: boolean
}

export function withRetina(command: Command): Command {
  return command
    .option(
      '--node-selectors <labels>',
      'with --api retina: nodes of these labels, name=value; their own interfaces',
      readMore,
    )
    .option('--pod-selectors <labels>', 'with --api retina: pods of these labels', readMore)
    .option(
      '--namespace-selectors <labels>',
      'with --api retina: pods of the namespaces of these labels',
      readMore,
    )
    .option(
      '--include-filter <entries>',
      'with --api retina: addresses, networks, ports, or both with a colon',
      readMore,
    )
    .option('--exclude-filter <entries>', 'with --api retina: the same, left out', readMore)
    .option(
      '--interfaces <names>',
      'with --api retina: these interfaces of the nodes, a file each',
      readMore,
    )
    .option(
      '--host-path <path>',
      "with --api retina: where on the nodes, below the administrator's directory; default: the name",
    )
    .option('--no-metadata', 'with --api retina: without what the network of the node looks like')
}
