// How often small files are rotated.
import test from 'ava'
import { smallFile } from '../../../src/model/capture.ts'
import { RotationRate } from '../../../src/tap/rotationRate.ts'

test('RotationRate lets ten small files be rotated at once, then one each second', t => {
  const rate = new RotationRate(0)
  for (let file = 0; file < smallFile.atOnce; file++) {
    t.is(rate.floorBytes(0), 0)
    rate.rotated(0)
  }
  t.is(rate.floorBytes(999), smallFile.bytes)
  t.is(rate.floorBytes(1_000), 0)
  rate.rotated(1_000)
  t.is(rate.floorBytes(1_999), smallFile.bytes)
  t.is(rate.floorBytes(2_000), 0)
})

test('RotationRate has no more than ten at once after a long time, and goes on after the clock was set back', t => {
  const rate = new RotationRate(0)
  for (let file = 0; file < smallFile.atOnce; file++) rate.rotated(1e9)
  t.is(rate.floorBytes(1e9), smallFile.bytes)
  t.is(rate.floorBytes(5_000), smallFile.bytes)
  t.is(rate.floorBytes(6_000), 0)
})
