// How many cases a property tries: as many as it says, or fewer where $WORLDS limits them, as `npm
// run test:unit` does.
export function runs(wanted: number): number {
  const most = Number(process.env.WORLDS)
  return most > 0 ? Math.min(wanted, most) : wanted
}
