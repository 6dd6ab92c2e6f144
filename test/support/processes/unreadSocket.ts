// A log that nobody reads: runs a command with a socket as its standard error that is full from the
// start.
//   spawn(unreadSocket[0], [...unreadSocket.slice(1), command, …args])
const program = `
import os, socket, sys
ours, reader = socket.socketpair()
ours.setblocking(False)
try:
    while True: ours.send(b'x' * 4096)
except BlockingIOError: pass
ours.setblocking(True)
os.dup2(ours.fileno(), 2)
os.set_inheritable(reader.fileno(), True) # open as long as the command runs
os.execvp(sys.argv[1], sys.argv[1:])
`

export const unreadSocket: readonly string[] = ['python3', '-c', program]
