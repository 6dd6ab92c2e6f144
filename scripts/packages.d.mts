export const searchPath: string
export function missingPackages(set: 'base' | 'bench' | 'go' | 'node'): string[]
export function installPackages(names: readonly string[], say: (text: string) => void): void
