/** Code that looks, from within a walled kernel, for what it should not find. */

/** Looks for the server's key; gives the places, and how the server answers it without. `URL` and `WORK` stand for the server and its folder. */
export const HUNT = `
import glob, os, urllib.request, urllib.error
key, found = 'the-servers-' + 'key', []
for path in glob.glob('/proc/[0-9]*/*') + glob.glob('/proc/[0-9]*/task/*/environ'):
    try:
        if os.path.isfile(path) and key in open(path, errors='replace').read(1 << 20): found.append(path)
    except OSError: pass
if key in str(dict(os.environ)): found.append('os.environ')
for path in ('WORK/api-key', 'WORK/server.json', 'WORK/server.log'):
    try: found.append(open(path).read())
    except OSError: pass
def status(url):
    try: return urllib.request.urlopen(url, timeout=10).status
    except urllib.error.HTTPError as error: return error.code
[found, status('URL/api/v1/health'), status('URL/api/v1/sessions')]
`;

/** Looks for sockets by their folder, by the table of sockets, and by asking the system for all Unix sockets. */
export const SOCKETS = `
import glob, os, re, socket, struct
from jupyter_client import find_connection_file
import ipykernel.connect
try: own = os.path.dirname(get_ipython().kernel.shell_socket.LAST_ENDPOINT.decode()[6:])
except AttributeError: own = os.path.dirname(ipykernel.connect.get_connection_file())
paths = set(glob.glob(os.path.dirname(own) + '/*/*'))
try: paths |= set(re.findall(r'/\\S+', open('/proc/net/unix').read()))
except OSError: pass
try:
    asking = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4)
    asking.send(struct.pack('=IHHIIBBHIIIII', 40, 20, 0x301, 1, 0, 1, 0, 0, 0xFFFFFFFF, 0, 1, 0, 0))
    paths |= {os.fsdecode(path) for path in re.findall(rb'/[^\\0]+', asking.recv(1 << 20))} # numbers in it may look like paths
except OSError: pass
opened = []
for path in paths:
    if path.startswith(own + '/'): continue
    try: socket.socket(socket.AF_UNIX).connect(path); opened.append(path)
    except OSError: pass
opened
`;
