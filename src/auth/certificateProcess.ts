// A process that makes one certificate and ends, which frees its memory (certificateInChild.ts
// starts it). In: the common name as its argument. Out: the certificate with its key as JSON on
// standard output, a pipe to the parent.
import { makeCertificate } from './selfSignedCertificate.ts'

process.stdout.write(JSON.stringify(await makeCertificate(process.argv[2] ?? '', [])))
