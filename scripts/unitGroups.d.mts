export const groupFiles: string
export function shareOut(files: readonly string[], count: number): string[][]
export function makeUnitGroups(): string[]
