// Formats bytes and seconds: "1.5 MB", "2m10s". Pure.

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

export function sizeText(bytes: number): string {
  const step = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1_000 ** step
  return `${step === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[step]}`
}
