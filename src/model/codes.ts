// The table of every code and reason that a user, a script or an alert reads: each family once,
// each code with its meaning. In: nothing. Out: data, and one type a family, so that a code that is
// not in the table does not compile. docs/errors.md has the same rows, and a test compares both.

type Meanings = Readonly<Record<string, string>>

/** Codes of a TapError. docs/operations.md says for each what to do. */
export const tapErrorMeanings = {
  NO_INTERFACE: "the endpoint's host interface does not exist",
  INTERFACE_DOWN: 'the interface exists and is set down',
  NO_NAMESPACE: "the pod's network namespace cannot be found or entered",
  NOT_PERMITTED: 'the process lacks a capability; the message names it',
  BAD_FILTER: 'the pcap expression does not compile',
  FILTER_TOO_LONG: 'the expression compiles to too many instructions',
  RING_BUDGET: 'other taps use all of `captureRingBytesMax`',
  NO_MEMORY: 'the kernel refused memory for a ring or a filter',
  NOT_SUPPORTED: 'this kernel, sandbox or link type has no packet rings',
} as const satisfies Meanings
export type TapErrorCode = keyof typeof tapErrorMeanings

/** Why an agent refuses a live stream. */
export const streamRefusals = {
  NotOpen: 'the capture is not open on the node, or another capture has its name now (409)',
  TooMany: 'the node has as many streams as it may have (429)',
} as const satisfies Meanings
export type StreamRefusal = keyof typeof streamRefusals

/** Why the gateway refuses a user who may be allowed: the rate limiter's reasons. */
const rateLimits = {
  TooManyOfUser: 'this user has too many requests open (429)',
  TooManyOfAll: 'all users together have too many requests open (429)',
  TooOften: 'this user sent too many requests in the last minute (429)',
} as const satisfies Meanings
export type RateLimitReason = keyof typeof rateLimits

/** Why the gateway refuses a request: the label `reason` of selcap_gateway_refused_total. */
export const gatewayRefusals = {
  Unauthorized: 'no bearer token that the API server knows (401)',
  Forbidden: "the user lacks the right in the capture's namespace (403)",
  ...rateLimits,
  Busy: 'an agent or the API server has too much to do (503)',
  Connections: 'the gateway has as many connections as it may have, and closed this one',
} as const satisfies Meanings
export type GatewayRefusal = keyof typeof gatewayRefusals

/**
 * What is wrong with a capture that may go on, the gravest first: the condition Degraded takes the
 * first one found.
 */
export const problemMeanings = {
  DiskFloor: 'free disk space fell below `captureDiskFreePercentMin`',
  DiskBudget: 'capture files used up `captureDiskBytesMax`',
  RingBudget: '`captureRingBytesMax` holds no ring for some endpoints',
  EndpointsMax: 'the node has more taps to open than `captureEndpointsMax`',
  NoAgent: 'matching pods are on a node without an agent, so nothing of them is captured',
  LostInterface: 'an interface that was captured is down or gone',
  TapFailed: 'no tap of an endpoint could be opened yet',
  DiskStalled: 'the disk has taken no packet for two seconds; they wait in memory',
  WriteFailed: 'packets arrived that could not be written',
  LostFile: 'others removed, moved or truncated the file that was being written',
  LostState:
    'what the node had stored of the capture could not be read; counts are those of a copy and of the files',
  DroppedPackets: 'the kernel dropped packets because a ring was full',
  TruncatedPackets: 'packets were cut to the size of a ring block',
  UploadFailed: 'a file could not be stored; the upload is tried again',
  PortTaken: 'the agent cannot listen on its port, so nobody can have its files; it tries again',
  NodeSilent: 'the node has not reported for three minutes',
} as const satisfies Meanings
export type ProblemReason = keyof typeof problemMeanings

/** Reasons of a PacketCapture's condition Degraded. */
export const degradedReasons = {
  AsExpected: 'nothing is wrong',
  ...problemMeanings,
} as const satisfies Meanings
export type DegradedReason = keyof typeof degradedReasons

/** Reasons of a PacketCapture's conditions Ready, Capturing and Stalled: mostly its state. */
export const readyReasons = {
  Scheduled: 'its window is not open yet, or is closed until the next one',
  WaitingForTraffic: 'taps are open, and no packet has passed the filter yet',
  Capturing: 'packets are being captured',
  Finished: 'its window or a limit ended it',
  Error: 'a node or an endpoint cannot be captured; the message says why',
  Rejected: 'the spec cannot be carried out; the message says why',
  NoEndpoint: 'no endpoint that can be captured matches the selector now',
  NotAnswered: 'nodes that may have endpoints have not reported yet',
  Stopped: 'selcap has stopped, and captures nothing until it runs again',
  NodeSilent: 'every node that captured has not reported for three minutes',
} as const satisfies Meanings
export type ReadyReason = keyof typeof readyReasons

/** Events on a PacketCapture. */
export const packetCaptureEvents = {
  Started: 'endpoints are being captured, and none were before',
  Finished: 'the capture has ended on every node',
  Failed: 'the capture is in the state Error',
  Degraded: 'the condition Degraded became True; the message has its reason',
  Recovered: 'the condition Degraded became False again',
} as const satisfies Meanings

/** Events of the gateway on a capture of any kind. */
export const gatewayEvents = {
  Downloaded: 'a user had files or a live stream; the message names both',
  Cleaned: 'a user removed the files',
} as const satisfies Meanings

/** Events on a PacketCaptureConfig. */
export const packetCaptureConfigEvents = {
  CaptureStarted: 'nodes are capturing',
  CaptureCompleted: 'the capture is completed on every node',
  CaptureFailed: 'the capture failed on a node; the message names it',
  CaptureRetrying: 'an attempt failed on a node, and another one follows',
  NoAgent: 'matching pods are on a node without an agent; the message names both',
  FileDeleted: 'the node deleted an old file, as `maxCaptureFiles` says',
} as const satisfies Meanings

/**
 * Reasons of the conditions `complete` and `error` of a Retina Capture, and of the Events that tell
 * of them.
 */
export const retinaReasons = {
  JobsInProgress: 'some nodes have no archive yet',
  JobsCompleted: 'every node has its archive',
  RunJobFailed: 'a node could not make its archive',
  ExceedJobNumLimit: 'the capture needs more nodes than `captureJobNumLimit`',
  NoAgent: 'matching pods are on a node without an agent, so nothing of them is captured',
  FindSecretFailed: 'the Secret of an upload does not exist',
  UploadFailed: 'an archive could not be stored; the upload is tried again',
  OtherError: 'the spec cannot be carried out, or no pod matches it',
} as const satisfies Meanings
export type RetinaReason = keyof typeof retinaReasons

/** Every reason of a Kubernetes Event. */
export type EventReason =
  | keyof typeof packetCaptureEvents
  | keyof typeof gatewayEvents
  | keyof typeof packetCaptureConfigEvents
  | RetinaReason

/** Why the agent closes a tap: `reason` of the log line "closing tap". */
export const closeReasons = {
  window: 'the window of the capture ended',
  unmatched: 'the selector does not match the endpoint any more',
  finished: 'the pod has ended or is gone',
  absent: 'the interface in the pod that a wildcard took is gone',
  deleted: 'the capture was deleted, or another one has its name',
  changed: 'the capture was edited',
  replaced: 'the pod or its interface was replaced, and the tap opens again',
  limit: 'a limit of the capture was reached',
  disk: 'the disk has no room',
  resized: 'the ring is made smaller, and the tap opens again',
  budget: 'a budget of the node has no room for the tap',
  stopping: 'the agent stops',
} as const satisfies Meanings
export type CloseReason = keyof typeof closeReasons

/** Exit codes of `kubectl pcap`, and of the same commands of `selcap`. 0: done. */
export const exitCodes = {
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  captureError: 6,
  timeout: 7,
  incomplete: 8,
  interrupted: 130,
} as const satisfies Readonly<Record<string, number>>
export type ExitReason = keyof typeof exitCodes

export const exitMeanings: Readonly<Record<ExitReason, string>> = {
  failed: 'the API server or the gateway cannot be reached, or refused for another reason',
  usage:
    'wrong usage, or a capture that would be refused: a selector that does not parse, for example',
  notFound: 'no capture, pod, deployment or service of that name',
  notAllowed: 'the right is missing; the message names it',
  conflict: 'it exists already, or is still capturing',
  captureError: 'the capture is in the state Error',
  timeout: 'what was waited for has not come',
  incomplete: "a node's files are missing, or a checksum does not fit, or a stream broke off",
  interrupted: 'interrupted; the same command goes on where a download stopped',
}

/** Commands of `selcap` that answer a question by exit code 1. */
export const exitOneMeanings = {
  explain: 'the text is no selector',
  get: 'there is no capture of that name',
  preflight: 'selcap cannot be installed in this cluster, or the API server did not answer',
  validate: 'a document is not valid',
} as const satisfies Meanings
