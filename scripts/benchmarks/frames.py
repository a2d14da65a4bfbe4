"""Sends one frame over and over from an interface, as fast as the kernel can or slower: BPF_PROG_TEST_RUN's live frames.

    frames.py INTERFACE FRAME SECONDS [TURNS [varied]]

TURNS of an empty loop, up to 8000, go by before each packet: a call of the kernel takes too long to begin to be paced from
outside. Varied, each TCP segment of `cable.opening` comes from another of 16,384 addresses and 16,384 ports.

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
# Packets of one call.
PIECE = 100_000


def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 144)
    result = LIBC.syscall(CALL[os.uname().machine], command, room, 144)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def address(buffer):
    return ctypes.addressof(buffer)


def variation():
    """Other values in two pairs of words, each of which has the same sum as before: checksums stay right.

    r6 = the context; r0 = a random number; r2 = the packet, when it has 54 bytes.
    """
    steps = [(0xBF, 0x16, 0, 0), (0x85, 0, 0, 7), (0x61, 0x62, 0, 0), (0x61, 0x63, 4, 0),
             (0xBF, 0x24, 0, 0), (0x07, 4, 0, 54), (0x2D, 0x34, 14, 0)]
    for places, base in (((28, 18, 40), 0), ((34, 44), 0x0101)):
        # r1 = the next fourteen bits; the first word is base + r1, the others 0xFFFF - r1.
        steps += [(0xBF, 0x01, 0, 0), (0x57, 1, 0, 0x3FFF), (0x77, 0, 0, 14)]
        steps += [(0xB7, 5, 0, 0xFFFF), (0x1F, 0x15, 0, 0), (0x07, 1, 0, base)]
        steps += [(0x6B, 0x12, places[0], 0)] + [(0x6B, 0x52, place, 0) for place in places[1:]]
    # Behind the check of the length: all of that is jumped over.
    check = next(index for index, step in enumerate(steps) if step[0] == 0x2D)
    steps[check] = (0x2D, 0x34, len(steps) - check - 1, 0)
    return steps


def sender(turns, isVaried):
    """r7 = turns; while (r7) r7 -= 1; r0 = XDP_TX; exit."""
    steps = [(0xB7, 7, 0, turns), (0x15, 7, 2, 0), (0x17, 7, 0, 1), (0x05, 0, -3, 0), *(variation() if isVaried else []),
             (0xB7, 0, 0, TX), (0x95, 0, 0, 0)]
    text = b"".join(struct.pack("<BBhi", code, register, jump, value) for code, register, jump, value in steps)
    code = ctypes.create_string_buffer(text, len(text))
    licence = ctypes.create_string_buffer(b"GPL")
    return bpf(PROG_LOAD, struct.pack("<IIQQ", TYPE_XDP, len(steps), address(code), address(licence)))


def send(program, interface, frame, count):
    data = ctypes.create_string_buffer(frame, len(frame))
    context = ctypes.create_string_buffer(struct.pack("<IIIIII", 0, len(frame), 0, interface, 0, 0), 24)
    # prog_fd, retval, sizes and places of data, repeat, duration, sizes and places of contexts, flags, cpu, batch
    bpf(PROG_TEST_RUN, struct.pack(
        "<IIIIQQIIIIQQIIIi", program, 0, len(frame), 0, address(data), 0, count, 0, 24, 0, address(context), 0,
        LIVE_FRAMES, 0, 64, 0))


def main():
    name, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with open(path, "rb") as file:
        frame = file.read()
    turns = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    program, interface = sender(turns, "varied" in sys.argv[5:]), socket.if_nametoindex(name)
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        send(program, interface, frame, PIECE)
        sent += PIECE
    print(sent)


if __name__ == "__main__":
    main()
