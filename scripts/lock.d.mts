export function runLocked(
  lockFile: string,
  command: readonly string[],
  env?: NodeJS.ProcessEnv,
): number
