// A command that runs another one in a mount namespace of its own, whose /run is empty but for the
// given directories: what a pod finds there. Where they go, then where they are.
export function withRun(directories: Readonly<Record<string, string>>): string[] {
  const binds = Object.entries(directories).map(
    ([to, from]) => `mkdir -p ${to} && mount --bind ${from} ${to}`,
  )
  const script = ['mount -t tmpfs none /run', ...binds, 'exec "$@"'].join(' && ')
  return ['unshare', '--mount', 'sh', '-c', script, 'sh']
}
