import test from 'ava'
import { installCommand } from '../../../../src/kubectl/command/install.ts'

test('installCommand() refuses to remove a namespace of others', async t => {
  const command = installCommand().exitOverride()
  await t.throwsAsync(
    command.parseAsync(['--for', '1h', '--no-create-namespace'], { from: 'user' }),
    { message: /^Cannot install with --for into a namespace of others/ },
  )
})

test('installCommand() reads components as a list', t => {
  const command = installCommand()
  command.parseOptions(['--components', 'retina,claims,'])
  t.deepEqual(command.opts().components, ['retina', 'claims'])
})
