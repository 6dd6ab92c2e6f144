# Sends packets from wherever it was started (test/support/net/sender.ts starts it inside a namespace). Reads one JSON request a
# line, does it, answers with one JSON line. Times are nanoseconds since the epoch, taken just before and just after.
import base64, json, socket, struct, sys, threading, time

sockets = []  # kept open until the end


def numbered(number, size):
    return (b'selcap' + struct.pack('>I', number)).ljust(size, b'.')


def udp(request):
    family = socket.AF_INET6 if ':' in request['to'] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect((request['to'], request['port']))
        for number in range(request['first'], request['first'] + request['count']):
            try:
                sender.send(numbered(number, request['bytes']))
            except ConnectionRefusedError:  # an earlier one found nobody listening: this one was not sent
                sender.send(numbered(number, request['bytes']))
            if request['gap']:
                time.sleep(request['gap'])
    return {}


def frames(request):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((request['interface'], 0))
        for frame in request['frames']:
            sender.send(base64.b64decode(frame))
    return {}


def listen_udp(request):
    listener = socket.socket(socket.AF_INET6 if ':' in request['address'] else socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((request['address'], 0))
    sockets.append(listener)
    return {'port': listener.getsockname()[1]}


def listen_tcp(request):
    listener = socket.create_server((request['address'], 0), family=socket.AF_INET6 if ':' in request['address'] else socket.AF_INET)
    sockets.append(listener)
    threading.Thread(target=swallow, args=(listener,), daemon=True).start()
    return {'port': listener.getsockname()[1]}


def swallow(listener):
    while True:
        connection = listener.accept()[0]
        total = 0
        while True:
            got = len(connection.recv(1 << 20))
            if got == 0:
                break
            total += got
        connection.sendall(struct.pack('>Q', total))
        connection.close()


def tcp(request):
    with socket.create_connection((request['to'], request['port'])) as sender:
        sender.sendall(b'.' * request['bytes'])
        sender.shutdown(socket.SHUT_WR)
        return {'arrived': struct.unpack('>Q', sender.recv(8, socket.MSG_WAITALL))[0]}


def ping(request):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sender:
        sender.settimeout(5)
        sender.connect((request['to'], 0))
        for number in range(request['count']):
            body = struct.pack('>BBHHH', 8, 0, 0, 0x5e1c, number) + numbered(number, 32)
            total = sum(struct.unpack(f'>{len(body) // 2}H', body))
            total = (total & 0xffff) + (total >> 16)
            sender.send(body[:2] + struct.pack('>H', ~((total & 0xffff) + (total >> 16)) & 0xffff) + body[4:])
            sender.recv(2048)
    return {}


acts = {'udp': udp, 'frames': frames, 'listen_udp': listen_udp, 'listen_tcp': listen_tcp, 'tcp': tcp, 'ping': ping}
print('{}', flush=True)
for line in sys.stdin:
    request = json.loads(line)
    start = time.time_ns()
    try:
        answer = acts[request['act']](request)
    except OSError as error:
        answer = {'error': str(error)}
    print(json.dumps({'from': start, 'to': time.time_ns(), **answer}), flush=True)
