// Where selcap's own parts run.
export const systemNamespace = 'selcap-system'
