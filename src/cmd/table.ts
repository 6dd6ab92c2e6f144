// Formats rows of cells as kubectl does: columns with three spaces between, no space at the end of
// a line. Pure.

export function table(rows: readonly (readonly string[])[], widths = widthsOf(rows)): string {
  return rows
    .map(
      cells =>
        `${cells
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('')
}

export function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, index) =>
    Math.max(...rows.map(cells => cells[index]?.length ?? 0)),
  )
}
