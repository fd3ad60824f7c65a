"""The router of a home, as far as port mappings go, speaking JSON Lines.

    gateway.py OWN_IP nat-pmp|upnp EXTERNAL_IP

nat-pmp: RFC 6886 at UDP port 5351; PCP is answered with "unsupported version". upnp: SSDP at UDP port 1900 and one
WANIPConnection service over HTTP. Prints {"t":"ready"}, {"t":"mapped","protocol","internal","external","lifetime"} and
{"t":"unmapped",...}. Gives another number than the one asked for, to be noticed. Stays until the end of its input.
"""

import http.server
import json
import re
import socket
import struct
import sys
import threading

OWN, KIND, EXTERNAL = sys.argv[1:4]
GIVEN = 40_077


def say(kind, **fields):
    print(json.dumps({"t": kind, **fields}), flush=True)


def nat_pmp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((OWN, 5351))
    say("ready")
    while True:
        asked, peer = sock.recvfrom(1100)
        version, op = asked[0], asked[1]
        if version != 0:
            sock.sendto(struct.pack("!BBHI", 0, 128 | op, 1, 1), peer)
        elif op == 0:
            sock.sendto(struct.pack("!BBHI4s", 0, 128, 0, 1, socket.inet_aton(EXTERNAL)), peer)
        elif op in (1, 2):
            _, _, _, internal, _, lifetime = struct.unpack("!BBHHHI", asked[:12])
            protocol = "tcp" if op == 2 else "udp"
            external = GIVEN if lifetime else 0
            sock.sendto(struct.pack("!BBHIHHI", 0, 128 | op, 0, 1, internal, external, lifetime), peer)
            kind = "mapped" if lifetime else "unmapped"
            say(kind, protocol=protocol, internal=internal, external=external, lifetime=lifetime)


DESCRIPTION = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>/control</controlURL><eventSubURL>/event</eventSubURL><SCPDURL>/scpd.xml</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>"""
NAMES = {
    "AddPortMapping": [
        "NewRemoteHost", "NewExternalPort", "NewProtocol", "NewInternalPort", "NewInternalClient", "NewEnabled",
        "NewPortMappingDescription", "NewLeaseDuration",
    ],
    "DeletePortMapping": ["NewRemoteHost", "NewExternalPort", "NewProtocol"],
    "GetExternalIPAddress": [],
}


def scpd():
    def argument(name):
        return f"<argument><name>{name}</name><direction>in</direction></argument>"

    actions = "".join(
        f"<action><name>{action}</name><argumentList>{''.join(map(argument, names))}</argumentList></action>"
        for action, names in NAMES.items()
    )
    return f'<?xml version="1.0"?><scpd xmlns="urn:schemas-upnp-org:service-1-0"><actionList>{actions}</actionList></scpd>'


class Control(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        body = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(scpd() if self.path == "/scpd.xml" else DESCRIPTION)

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = self.headers["SOAPAction"].strip('"').split("#")[1]

        def value(name):
            found = re.search(f"<{name}[^>]*>([^<]*)<", asked)
            return found.group(1) if found else ""

        inner = ""
        protocol = value("NewProtocol").lower()
        if action == "AddPortMapping":
            internal, external = int(value("NewInternalPort")), int(value("NewExternalPort"))
            lifetime = int(value("NewLeaseDuration"))
            say("mapped", protocol=protocol, internal=internal, external=external, lifetime=lifetime)
        elif action == "DeletePortMapping":
            say("unmapped", protocol=protocol, internal=0, external=int(value("NewExternalPort")), lifetime=0)
        elif action == "GetExternalIPAddress":
            inner = f"<NewExternalIPAddress>{EXTERNAL}</NewExternalIPAddress>"
        self.answer(
            '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            f'<u:{action}Response xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">{inner}</u:{action}Response>'
            "</s:Body></s:Envelope>"
        )

    def log_message(self, *_):
        pass


def upnp():
    server = http.server.ThreadingHTTPServer((OWN, 5000), Control)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", 1900))
    group = socket.inet_aton("239.255.255.250") + socket.inet_aton(OWN)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    say("ready")
    while True:
        asked, peer = sock.recvfrom(2048)
        if not asked.startswith(b"M-SEARCH"):
            continue
        kind = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
        sock.sendto(
            f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {kind}\r\nUSN: uuid:1::{kind}\r\nEXT:\r\n"
            f"SERVER: test\r\nLOCATION: http://{OWN}:5000/description.xml\r\n\r\n".encode(),
            peer,
        )


threading.Thread(target={"nat-pmp": nat_pmp, "upnp": upnp}[KIND], daemon=True).start()
sys.stdin.read()
