# Owns what must not be left behind when the campaign is killed: the freezing of its file systems, their mounts, its directory.
# In: a request a line: freeze PATH, thaw PATH, mounted PATH, later DIRECTORY. Out: a line for each. When its input ends, however,
# it thaws and unmounts everything and removes the directory. No file system stays frozen for longer than 60 s.
import fcntl, os, select, shutil, signal, subprocess, sys, time

FREEZE, THAW, MOST = 0xC0045877, 0xC0045878, 60
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
    signal.signal(each, signal.SIG_IGN)
files, frozen, directories = {}, {}, []


def thaw(path):
    if path in frozen:
        del frozen[path]
        fcntl.ioctl(files[path], THAW, 0)


def answer(act, path):
    if act == 'mounted':
        files[path] = os.open(path, os.O_RDONLY)
    elif act == 'freeze':
        fcntl.ioctl(files[path], FREEZE, 0)
        frozen[path] = time.monotonic()
    elif act == 'thaw':
        thaw(path)
    else:
        directories.append(path)


def clean_up():
    for path in list(frozen):
        thaw(path)
    for path, fd in files.items():
        os.close(fd)
        subprocess.run(['umount', '--lazy', path], stderr=subprocess.DEVNULL)
    for path in directories:
        for _ in range(50):
            shutil.rmtree(path, ignore_errors=True)
            if not os.path.exists(path):
                break
            time.sleep(0.1)  # a process that is being killed may still write into it


print('ready', flush=True)
rest = b''
while True:
    if select.select([0], [], [], 1)[0]:
        got = os.read(0, 65536)
        if not got:
            break
        *lines, rest = (rest + got).split(b'\n')
        for line in lines:
            act, path = line.decode().split(' ', 1)
            try:
                answer(act, path)
                said = 'done'
            except OSError as error:
                said = str(error)
            try:
                print(said, flush=True)
            except OSError:
                pass  # nobody reads: the input ends soon
    for path in [path for path, since in frozen.items() if time.monotonic() - since > MOST]:
        thaw(path)
clean_up()
