#!/usr/bin/env python3
"""The checks of tools/ must find what they look for: each row is a tree with one fault, and a good tree has none."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOOD = '#include "agent/base/error.h"\n#include <stdio.h>\nint x;\n'

# tool, file, text, what it must say (None: nothing)
ROWS = [
    ("check_includes.py", "agent/text/a.c", GOOD, None),
    ("check_includes.py", "agent/base/a.c", '#include "agent/text/json.h"\n', "base may not look into text"),
    ("check_includes.py", "agent/io/a.c", '#include "agent/model/batch.h"\n', "io may not look into model"),
    ("check_includes.py", "agent/river/a.h", '#  include "agent/io/loop.h"\n', "river may not look into io"),
    ("check_includes.py", "agent/model/a.c", '#include "agent/io/codec.h"\n', None),
    ("check_includes.py", "agent/model/a.c", '#include "agent/io/loop.h"\n', "model may not look into io"),
    ("check_includes.py", "agent/delivery/a.c", '#include "agent/runtime/component.h"\n', "may not look into runtime"),
    ("check_includes.py", "agent/runtime/a.c", '#include "agent/components/x/y.h"\n', "may not look into components"),
    ("check_includes.py", "agent/ui/a.c", '#include "agent/cli/registry.h"\n', "ui may not look into cli"),
    ("check_includes.py", "agent/cli/a.c", '#include "agent/ui/admin.h"\n', None),
    ("check_includes.py", "agent/runtime/a.c", "#include <curl/curl.h>\n", "belongs to agent/io alone"),
    ("check_includes.py", "agent/io/a.c", "#include <curl/curl.h>\n#include <grpc/grpc.h>\n#include <uv.h>\n", None),
    ("check_includes.py", "exporters/x/a.c", "#include <snappy-c.h>\n", "belongs to agent/io alone"),
    ("check_includes.py", "agent/text/a.c", "#include <openssl/sha.h>\n", "belongs to agent/io alone"),
    ("check_includes.py", "agent/io/a.c", '#include "proto/otlp.pb-c.h"\n', "belongs to agent/model alone"),
    ("check_includes.py", "agent/model/a.c", '#include "proto/otlp.pb-c.h"\n', None),
    ("check_includes.py", "agent/river/a.c", "#include <jansson.h>\n", "belongs to agent/text alone"),
    ("check_includes.py", "agent/model/a.c", "#include <xxhash.h>\n", "belongs to agent/base alone"),
    ("check_includes.py", "agent/base/a.c", '#include "error.h"\n', "not named from the project's root"),
    ("check_includes.py", "agent/other/a.c", GOOD, "in no room"),
    ("check_includes.py", "agent/components/loki/a.c", '#include "agent/components/loki/b.h"\n', "does not include another"),
    ("check_includes.py", "exporters/loki/a.c", '#include "agent/components/loki/a.h"\n', "may not look into components"),
    ("check_includes.py", "exporters/loki/a.c", '#include "exporters/prometheus/a.h"\n', "does not include another"),
    ("check_includes.py", "agent/components/loki/a.c", '#include "agent/components/loki/a/args.h"\n', None),
    ("check_includes.py", "agent/components/loki/a/run.c", '#include "agent/components/loki/a/args.h"\n', None),
    ("check_source.py", "agent/base/a.c", "int f(void) { return g(); } /* strcpy() in words */\n", None),
    ("check_source.py", "agent/base/a.c", "char *f(void) { return strcpy(a, b); }\n", "a.c:1: strcpy"),
    ("check_source.py", "agent/base/a.c", "int f(void)\n{\n    return atoi(\n        s);\n}\n", "a.c:3: atoi"),
    ("check_source.py", "agent/base/a.c", "void *f(void) { return malloc (1); }\n", "malloc: use mem.h"),
    ("check_source.py", "agent/base/mem.c", "void *f(void) { return malloc(1); }\n", None),
    ("check_source.py", "agent/base/a.c", "void *f(void) { return mem_realloc(p, 1) + x.malloc(1) + a->free(1); }\n", None),
    ("check_source.py", "docs/a.md", "one\ntwo " + "TO" + "DO three\n", "docs/a.md:2:"),
    ("check_source.py", "agent/base/a.c", "\n" * 801, "801 lines"),
]


def run(tool, path, text):
    with tempfile.TemporaryDirectory() as tree:
        full = os.path.join(tree, path)
        os.makedirs(os.path.dirname(full))
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", tool), tree], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


def main():
    failed = 0
    for tool, path, text, want in ROWS:
        status, said = run(tool, path, text)
        good = status == 0 if want is None else status == 1 and want in said
        if not good:
            failed += 1
            print(f"{tool} on {path}:\n{text}\nwant: {want or 'no complaint'}\ngot ({status}): {said}")
    print(f"{len(ROWS)} rows, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
