// The contract of a capture driver. Drivers are ring/ringDriver.ts (the addon, TPACKET_V3) and
// libpcap/libpcapDriver.ts (`pcap`). In: an interface, a filter and a descriptor. Out: complete
// records on the descriptor, counters, events. Refuses with TapError. A driver opens, names, closes
// and deletes no file, writes no file header or trailer, and knows no capture: src/tap and
// src/files do. test/support/net/contract/contract.ts tests both drivers against this contract.
import type { RecordOptions } from '../model/capture.ts'
import type { LinkType } from '../model/linkType.ts'
import type { TapWindow } from '../model/tapWindow.ts'

/**
 * Where a driver writes records. The descriptor was opened with O_APPEND, or is a pipe, and the
 * file has its header. `bytesLeft`: record bytes that may still be appended. A sink that `isEmpty`
 * takes one record whatever its size; otherwise the size is checked before a record, and a record
 * that does not fit goes to the next sink. With no next sink the records wait in the ring.
 */
export type Sink = {
  readonly fd: number
  readonly bytesLeft: number
  readonly isEmpty: boolean
  /**
   * `st_dev` of the file system that holds the file, read where the descriptor was opened: fstat()
   * may wait for a stalled disk. Sinks of one device wait for each other, others do not.
   * undefined: a pipe, which waits for nothing.
   */
  readonly device: number | undefined
}

/**
 * A limit that all taps of a capture share. The packet that reaches `packets` is the last one
 * written; no record exceeds `bytes`.
 */
export interface LimitGroup {
  /** How much the taps of the group may still write. undefined: no limit. */
  setLeft(left: { readonly packets?: number; readonly bytes?: number }): void
}

/**
 * Records are pcap's (microseconds) or pcapng's enhanced packet blocks (nanoseconds, interface 0,
 * little-endian).
 */
export type DriverSpec = RecordOptions & {
  readonly interfaceName: string
  readonly index?: number // refused if the interface of that name has another one
  readonly linkType?: LinkType // that the file's header says, refused if it is another; Ethernet if it is missing
  readonly netns?: string // path of another network namespace; the tap must not keep it alive once it is closed
  readonly netnsId?: string // namespaceId(); refused if the path leads to another namespace
  readonly insideIsPod: boolean // true in the pod's namespace: outgoing frames are outbound; on a host veth it is the other way round
  readonly ringBytes: number
  readonly group: LimitGroup | undefined
  readonly sink: Sink
  readonly window?: TapWindow // packets outside of it are neither written nor counted
}

/**
 * Since this tap was opened, within its window. received = packets + dropped + refused, once
 * drained. Never goes backwards. The kernel gives drops no time: they count if any of the time
 * since they were last read is within the window.
 */
export type TapCounters = {
  readonly received: number
  readonly dropped: number // by the kernel: the ring was full
  readonly packets: number // written
  readonly bytes: number // written, record headers included
  readonly refused: number // handed over but not written: write failed, or the group's limit was reached
  readonly truncated: number // captured shorter than min(snapLength, original) because of a block's size
  readonly lastPacketMs?: number // kernel time of the last record
}

export type TapEvent =
  | { readonly kind: 'firstPacket'; readonly atMs: number } // the first record went to a sink
  | { readonly kind: 'moved'; readonly fd: number; readonly counters: TapCounters } // all of its records are written; nothing more is written to this sink
  | { readonly kind: 'limit'; readonly limit: 'packets' | 'bytes' } // of the group; every tap of the group has stopped writing
  | { readonly kind: 'writeFailed'; readonly fd: number; readonly code: string } // ENOSPC…; cut back to the last whole record; refusing until retry()
  | InterfaceLoss
  | { readonly kind: 'up' } // after `down` in the state `down`: packets come again

/**
 * The interface is not, or not any more, the one that was opened. It resumes by itself if it only
 * is `down`; otherwise no packet follows. `sinceMs`: when it was last known to be up.
 */
export type InterfaceLoss = {
  readonly kind: 'down'
  readonly state: 'down' | 'gone' | 'renamed' | 'namespaceGone'
  readonly sinceMs: number
}

/** Records that were taken from rings and are not in a file yet. */
export type Waiting = {
  readonly bytes: number
  readonly oldestMs: number // for how long the oldest of them waits
}

/** The memory between the rings and the disks. `device` is `st_dev`. */
export type BufferUse = {
  readonly bytes: number
  readonly highWaterBytes: number // since the start
  readonly devices: readonly (Waiting & { readonly device: number })[]
}

export interface DriverTap {
  readonly ringBytes: number // the memory it takes
  counters(): TapCounters
  /** What waits for this tap's disk. */
  waiting(): Waiting
  /**
   * Queues the sink to move to when the present one is full or rotate() is called. Several may be
   * queued.
   */
  offer(sink: Sink): void
  /**
   * Moves to the next sink at the next record boundary, if anything was written to the present one.
   */
  rotate(): void
  /**
   * Changes what the present sink may still take, counted from the file's present size: the tap
   * takes off what it has not written yet.
   */
  setBytesLeft(bytesLeft: number): void
  /** Applies to every packet that was not read from the ring yet; the change loses none. */
  setWindow(window: TapWindow): void
  /** After writeFailed: writes again, to the same sink. */
  retry(): void
  /**
   * Resolves when all records are written and counters are final, however long the disk takes. The caller then closes the sinks'
   * descriptors. Idempotent.
   */
  close(): Promise<TapCounters>
}

/**
 * One network interface. `peerIndex` is the other end's index, in `peerNetnsId` where that is
 * another namespace.
 */
export type Link = {
  readonly name: string
  readonly index: number
  readonly kind: string // veth, netkit, bridge, '' for a plain device
  readonly isUp: boolean
  readonly mtu: number
  readonly gsoMaxBytes: number
  readonly packets?: number // in both directions since it was created; missing: unknown
  readonly peerIndex: number | undefined
  readonly addresses: readonly string[]
  readonly alternativeNames: readonly string[]
  readonly hardwareType: number // ARPHRD_*
  readonly linkType: LinkType | undefined // undefined: not supported
}

export type LinkChange = {
  readonly kind: 'present' | 'down' | 'gone'
  readonly name: string
  readonly index: number
}

/**
 * For a live stream: a slow reader loses complete records, which the tap counts as refused. The
 * caller closes both ends.
 */
export type Pipe = { readonly readFd: number; readonly writeFd: number }

export interface Driver extends AsyncDisposable {
  readonly name: 'ring' | 'libpcap'
  /**
   * The most that may wait for disks. Beyond it packets stay in their ring, which fills, and the
   * kernel drops and counts. Each disk has an equal part; on it, a tap may hold three times what is
   * free.
   */
  setBufferBytesMax(bytes: number): void
  buffer(): BufferUse
  /**
   * Another number when counters() or waiting() of any tap are others. What each tap has counted need
   * not be asked for while it is the same.
   */
  changes(): number
  /**
   * Refuses with TapError BAD_FILTER (the compiler's own words) or FILTER_TOO_LONG (with the number
   * of instructions). Resolves to the number of instructions.
   */
  compile(filter: string, snapLength: number, instructionsMax?: number): Promise<number>
  group(): LimitGroup
  /**
   * Refuses with TapError. No packet older than this call, or one the filter refuses, is ever
   * written.
   */
  open(spec: DriverSpec, onEvent: (event: TapEvent) => void): Promise<DriverTap>
  /** The interfaces of this network namespace, or of the one at that path. */
  links(netns?: string): Promise<readonly Link[]>
  /** Reports every change of an interface in this namespace from now on. */
  watchLinks(onChange: (change: LinkChange) => void): Disposable
  /**
   * A pipe that holds so many bytes if the system allows it, as a sink of this driver's taps.
   * Refuses with TapError NOT_SUPPORTED or NO_MEMORY.
   */
  pipe(bytes: number): Pipe
}
