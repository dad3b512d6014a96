#!/usr/bin/env python3
"""Fails when an include points against the arrows of docs/architecture.md. usage: check_includes.py [ROOT]"""
import os
import re
import sys

# room -> the rooms it may include, besides itself
BELOW_DELIVERY = ["base", "text", "io", "river", "model"]
BELOW_COMPONENTS = BELOW_DELIVERY + ["delivery", "runtime"]
EVERYTHING = BELOW_COMPONENTS + ["components", "exporters"]
ARROWS = {
    "base": [],
    "text": ["base"],
    "io": ["base", "text"],
    "river": ["base", "text"],
    "model": ["base", "text"],
    "delivery": BELOW_DELIVERY,
    "runtime": BELOW_DELIVERY + ["delivery"],
    "components": BELOW_COMPONENTS,
    "exporters": BELOW_COMPONENTS,
    "ui": EVERYTHING,
    "cli": EVERYTHING + ["ui"],
}
# model uses io's codecs through plain functions
SINGLE_HEADERS = {("model", "agent/io/codec.h")}

# One room per library: its headers -> the room
LIBRARIES = [
    (r"(curl|grpc|grpcpp|minizip|openssl)/.*|(ares|microhttpd|uv|zlib|zstd|zstd_errors|snappy|snappy-c|lz4\w*|libdeflate)\.h", "io"),
    (r"protobuf-c/.*|.*\.pb-c\.h", "model"),
    (r"jansson\.h|yaml\.h|re2/.*", "text"),
    (r"xxhash\.h", "base"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def room_of(path):
    parts = path.split("/")
    if parts[0] == "exporters":
        return "exporters"
    return parts[1] if parts[0] == "agent" and len(parts) > 2 else None


def component_of(path):
    """exporters/loki/write.c and agent/components/loki/write/args.h are both .../loki/write."""
    parts = path.split("/")
    skip = 1 if parts[0] == "exporters" else 2
    name = parts[: skip + 2]
    name[-1] = re.sub(r"\.(c|cc|h)$", "", name[-1])
    return "/".join(name)


def judge(path, quote, header):
    """The complaint about one include, or None."""
    room = room_of(path)
    for pattern, owner in LIBRARIES:
        if re.fullmatch(pattern, header):
            return None if room == owner else f"<{header}> belongs to agent/{owner} alone"
    if quote != '"':
        return None
    target = room_of(header)
    if target is None or target not in ARROWS:
        return f'"{header}" is not named from the project\'s root (agent/... or exporters/...)'
    if target != room and target not in ARROWS[room] and (room, header) not in SINGLE_HEADERS:
        return f'"{header}": {room} may not look into {target}'
    if {room, target} <= {"components", "exporters"} and component_of(path) != component_of(header):
        return f'"{header}": a component does not include another'
    return None


def sources(root):
    for top in ("agent", "exporters"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".cc", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    complaints = seen = 0
    for path in sources(root):
        seen += 1
        if room_of(path) not in ARROWS:
            print(f"{path}: in no room of docs/architecture.md")
            complaints += 1
            continue
        with open(os.path.join(root, path), encoding="utf-8") as f:
            text = f.read()
        for match in INCLUDE.finditer(text):
            complaint = judge(path, *match.groups())
            if complaint:
                print(f"{path}:{text.count(chr(10), 0, match.start(1)) + 1}: {complaint}")
                complaints += 1
    print(f"{seen} files, {complaints} complaints")
    return 1 if complaints or not seen else 0


sys.exit(main())
