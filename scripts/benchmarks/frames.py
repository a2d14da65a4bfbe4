"""Sends one frame over and over from an interface, as fast as the kernel can or at a rate: BPF_PROG_TEST_RUN's live frames.

    frames.py INTERFACE FRAME SECONDS [PACKETS_A_SECOND]

Prints how many were sent. A program of two instructions sends each frame out; nothing else is loaded. Needs root.
"""
import ctypes
import os
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CALL = {"x86_64": 321, "aarch64": 280}
PROG_LOAD, PROG_TEST_RUN = 5, 10
TYPE_XDP, TX = 6, 3
LIVE_FRAMES = 1 << 1


def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 144)
    result = LIBC.syscall(CALL[os.uname().machine], command, room, 144)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def address(buffer):
    return ctypes.addressof(buffer)


def sender():
    """r0 = XDP_TX; exit."""
    code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, TX, 0x95, 0, 0, 0), 16)
    licence = ctypes.create_string_buffer(b"GPL")
    return bpf(PROG_LOAD, struct.pack("<IIQQ", TYPE_XDP, 2, address(code), address(licence)))


def send(program, interface, frame, count):
    data = ctypes.create_string_buffer(frame, len(frame))
    context = ctypes.create_string_buffer(struct.pack("<IIIIII", 0, len(frame), 0, interface, 0, 0), 24)
    # prog_fd, retval, sizes and places of data, repeat, duration, sizes and places of contexts, flags, cpu, batch
    bpf(PROG_TEST_RUN, struct.pack(
        "<IIIIQQIIIIQQIIIi", program, 0, len(frame), 0, address(data), 0, count, 0, 24, 0, address(context), 0,
        LIVE_FRAMES, 0, 64, 0))


def main():
    name, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    rate = float(sys.argv[4]) if len(sys.argv) > 4 else 0
    with open(path, "rb") as file:
        frame = file.read()
    program, interface = sender(), socket.if_nametoindex(name)
    piece = 20_000 if not rate else max(64, int(rate / 500))
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        if rate and sent > passed * rate:
            time.sleep(sent / rate - passed)
            continue
        send(program, interface, frame, piece)
        sent += piece
    print(sent)


if __name__ == "__main__":
    main()
