// Whether this run may make network namespaces, and `test` for tests that need one: skipped, by name, where it may not.
// scripts/test.mjs finds out once (root, or a user namespace around the run); AVA started by hand asks for root.
import test from 'ava'

export const mayMakeNamespaces =
  process.env.SELCAP_TEST_NETWORK === undefined ? process.getuid?.() === 0 : process.env.SELCAP_TEST_NETWORK === 'yes'

/** For tests in namespaces of their own. */
export const netTest = mayMakeNamespaces ? test : test.skip
export const netTestSerial = mayMakeNamespaces ? test.serial : test.serial.skip

/** Root on the machine itself, not in a user namespace: cgroups and overlay mounts need it. */
export const isRoot = process.getuid?.() === 0
