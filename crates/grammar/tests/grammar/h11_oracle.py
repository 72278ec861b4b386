"""What h11 makes of the first request in each line of standard input (hexadecimal); one line of answer for each.

    refused | partial | whole METHOD TARGET VERSION NAME=VALUE,… BODY     all but the first word in hexadecimal
"""

import sys

import h11


def main():
    for line in sys.stdin:
        print(understood(bytes.fromhex(line.strip())))


def understood(data):
    if not data:
        return "partial"  # h11 takes no bytes for the end of the stream
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request, body = None, b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return "refused"
        if event is h11.NEED_DATA:
            return "partial"
        if isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            fields = ",".join(f"{name.hex()}={value.hex()}" for name, value in request.headers)
            words = (request.method.hex(), request.target.hex(), request.http_version.hex(), fields, body.hex())
            return " ".join(("whole", *words))
        else:
            raise AssertionError(f"h11 says {event!r} of {data!r}")


main()
