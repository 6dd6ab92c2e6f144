// Reads the Range header. Pure. In: the header, the file's length. Out: one range of bytes. Several
// ranges or another unit get the whole file, as HTTP allows.
export type ByteRange = { readonly start: number; readonly end: number } // without `end`

/** 'whole': no header, or one that is not supported; 'none': the range lies outside the file. */
export function rangeOf(header: string | undefined, bytes: number): ByteRange | 'whole' | 'none' {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (first === '' && last === '') return 'whole'
  if (first === '')
    return Number(last) === 0 || bytes === 0
      ? 'none'
      : { start: Math.max(0, bytes - Number(last)), end: bytes }
  if (last !== '' && Number(last) < Number(first)) return 'whole'
  if (Number(first) >= bytes) return 'none'
  return { start: Number(first), end: last === '' ? bytes : Math.min(bytes, Number(last) + 1) }
}
