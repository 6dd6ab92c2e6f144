import test from 'ava'
import { endpointKey, podKey } from '../../../src/model/endpoint.ts'

test('endpointKey() tells the interfaces of a pod apart, and the primary one', t => {
  t.is(endpointKey({ name: 'web-0' }), 'web-0')
  t.is(endpointKey({ name: 'web-0', podInterface: 'net1' }), 'web-0/net1')
})

test('podKey() is the same of every interface of a pod, and another of a pod made again', t => {
  t.is(podKey({ namespace: 'shop', uid: 'u1' }), 'shop/u1')
  t.not(podKey({ namespace: 'shop', uid: 'u1' }), podKey({ namespace: 'shop', uid: 'u2' }))
})
