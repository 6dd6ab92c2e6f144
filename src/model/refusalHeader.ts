// The header by which the gateway marks an answer whose body is a whole sentence about the request.
// A client prints such a sentence as it is; any other body gets the client's own beginning.

export const refusalHeader = 'x-selcap-refusal'
