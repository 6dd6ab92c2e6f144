// Runs one command to its end: for `ip`, `tcpdump` and the like in tests. Refuses with what the
// command said.
import { execFile } from 'node:child_process'

/** Resolves to standard output. `input` is what the command reads. */
export function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error)
          reject(
            new Error(
              `Cannot run ${[command, ...args].join(' ')}: ${stderr || stdout || error.message}`,
              { cause: error },
            ),
          )
        else resolve(stdout)
      },
    )
    child.stdin?.on('error', () => {}) // a command that ends without reading says so with its exit code
    child.stdin?.end(input)
  })
}

/** Runs ip(8) commands, one a line, in the namespace at that path or in this one. */
export function ip(commands: readonly string[], netns?: string): Promise<string> {
  return inside(netns, 'ip', ['-batch', '-'], commands.join('\n'))
}

/** run(), in the namespace at that path or in this one. */
export function inside(
  netns: string | undefined,
  command: string,
  args: readonly string[],
  input = '',
): Promise<string> {
  return netns === undefined
    ? run(command, args, input)
    : run('nsenter', [`--net=${netns}`, command, ...args], input)
}
