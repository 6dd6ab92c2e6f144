// Lines for the log, as they come: standard output may be a pipe with a slow reader.
import { once } from 'node:events'

export async function printToOutput(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}
