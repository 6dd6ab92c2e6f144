// Rows of cells as text in columns, as kubectl prints them: three spaces between, nothing at the end of a line.

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
  return (rows[0] ?? []).map((_, index) => Math.max(...rows.map(cells => cells[index]?.length ?? 0)))
}
