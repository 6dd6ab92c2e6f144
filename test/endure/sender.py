# Sends numbered frames without end from the pod whose network namespace it was started in, at the rate it was last told. In: one
# JSON request a line: a rate and a size, or a network namespace to enter. Out: one JSON line for each. What the kernel refused before any tap saw it is not counted and its number is used again.
# The log has 16 bytes for each packet: nanoseconds since the epoch just before and just after it was sent, as two signed integers.
import ctypes, errno, json, os, select, socket, struct, sys, time

endpoint, log = int(sys.argv[1]), open(sys.argv[2], 'ab', buffering=1 << 16)
gone = (errno.ENXIO, errno.ENODEV, errno.ENETDOWN, errno.EINVAL)
state = {'next': 0, 'unsent': 0, 'rate': 0, 'bytes': 100}
sender = None


def connect():
    for index, name in socket.if_nameindex():
        if name != 'lo':
            found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            found.bind((name, 0))
            return found
    raise OSError(errno.ENODEV, 'no interface')


def enter(path):
    global sender
    if sender:
        sender.close()
        sender = None
    with open(path) as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), 'cannot enter ' + path)


def frame(number):
    size = state['bytes']
    payload = (b'endure' + struct.pack('>HI', endpoint, number)).ljust(size - 42, b'.')
    udp = struct.pack('>HHHH', 4000, 4000, size - 34, 0)
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, size - 14, 0, 0, 64, 17, 0, bytes((198, 18, 0, 2)), bytes((198, 18, 0, 1)))
    return bytes((2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)) + ip + udp + payload


def send_one():
    global sender
    try:
        sender = sender or connect()
        before = time.time_ns()
        try:
            sender.send(frame(state['next']))
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # the other end of a veth did not take it, but taps of this end have seen it
                raise
        log.write(struct.pack('<qq', before, time.time_ns()))
        state['next'] += 1
    except OSError as error:
        state['unsent'] += 1
        if error.errno in gone and sender:
            sender.close()
            sender = None
        time.sleep(0.01)


print('{}', flush=True)
due, rest = time.monotonic(), b''
while True:
    wait = max(0, due - time.monotonic()) if state['rate'] else None
    if select.select([0], [], [], wait)[0]:
        got = os.read(0, 65536)
        if not got:
            break
        *lines, rest = (rest + got).split(b'\n')
        for line in lines:
            request = json.loads(line)
            if 'enter' in request:
                enter(request.pop('enter'))
            state.update(request)
            log.flush()
            due = time.monotonic()
            print(json.dumps(state), flush=True)
    elif state['rate']:
        send_one()
        due = max(due + 1 / state['rate'], time.monotonic() - 0.05)  # after a pause of the machine it catches up with 50 ms of it
