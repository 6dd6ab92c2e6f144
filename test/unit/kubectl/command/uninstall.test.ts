import test from 'ava'
import { uninstallCommand } from '../../../../src/kubectl/command/uninstall.ts'

test('uninstallCommand() keeps no files and asks, unless it is told', t => {
  const command = uninstallCommand()
  t.like(command.opts(), { timeout: 120, keepFiles: undefined, yes: undefined })
  command.parseOptions(['--keep-files', '--yes', '--timeout', '5m'])
  t.like(command.opts(), { timeout: 300, keepFiles: true, yes: true })
})
