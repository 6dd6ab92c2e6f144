export const home: string
export function fileList(): { readonly paths: readonly string[]; readonly left: readonly string[] }
