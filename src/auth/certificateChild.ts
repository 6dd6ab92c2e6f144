// The process that makes one certificate and ends (certificateElsewhere.ts starts it): what it took is gone with it.
// In: the common name as its argument. Out: the certificate with its key as JSON on standard output, a pipe to who asked.
import { makeCertificate } from './selfSignedCertificate.ts'

process.stdout.write(JSON.stringify(await makeCertificate(process.argv[2] ?? '', [])))
