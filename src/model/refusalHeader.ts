// The header by which the gateway marks an answer whose body is a whole sentence about the request.
// A client prints such a sentence as it is; any other body gets the client's own beginning.

export const refusalHeader = 'x-selcap-refusal'

/**
 * In an answer to who acts as another user: the name of that user, escaped. Without it the request
 * was served as its sender.
 */
export const actingHeader = 'x-selcap-acting-as'

/** The gateway's own WWW-Authenticate: it is the one that does not know the token. */
export const gatewayRealm = 'Bearer realm="selcap"'
