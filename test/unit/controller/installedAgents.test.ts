import test from 'ava'
import { agentFaults } from '../../../src/controller/installedAgents.ts'

const pod = (waiting?: { reason?: string; message?: string }, nodeName = 'worker-1') => ({
  metadata: { name: 'selcap-agent-x' },
  spec: { nodeName },
  status: { containerStatuses: [{ state: waiting ? { waiting } : {} }] },
})

test('agentFaults() says what to do where /run/netns is a private mount', t => {
  const message = 'path "/run/netns" is mounted on "/run" but it is not a shared or slave mount'
  const [fault, ...others] = agentFaults(pod({ reason: 'CreateContainerError', message }))
  t.is(others.length, 0)
  t.true(fault?.startsWith(`The agent on node worker-1 does not start: CreateContainerError: ${message}; `)) // biome-ignore format: one line
  t.regex(fault ?? '', /mount --make-rshared \/run.*component host-interfaces/)
})

test('agentFaults() repeats the kubelet, and names the pod where no node has it', t => {
  t.deepEqual(agentFaults(pod({ reason: 'ImagePullBackOff', message: 'not found' }, '')), [
    'The agent of pod selcap-agent-x does not start: ImagePullBackOff: not found',
  ])
})

test('agentFaults() tells nothing of a container that runs or is being made', t => {
  t.deepEqual(agentFaults(pod()), [])
  t.deepEqual(agentFaults(pod({ reason: 'ContainerCreating' })), [])
  t.deepEqual(agentFaults({ metadata: { name: 'a' } }), [])
})
